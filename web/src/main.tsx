import { effect } from "@preact/signals";
import { render } from "preact";
import { restore } from "./actions/session";
import { App } from "./parts/App";
import { followSelection } from "./preview";
import { about, models, startError } from "./state";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/viewer.css";
import "./styles/panel.css";
import "./styles/gallery.css";
import { engine } from "./undark";
import { language, line, t } from "./words";

effect(() => {
  document.documentElement.lang = language.value;
  document.title = `undark – ${t("tagline")}`;
});

async function start() {
  try {
    [about.value, models.value] = await Promise.all([engine.about(), engine.models()]);
  } catch (error) {
    startError.value = line(error);
    return;
  }
  followSelection();
  await restore();
}

const page = document.getElementById("page");
if (page) {
  render(<App />, page);
  void start();
}
