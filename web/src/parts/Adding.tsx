import { useRef } from "preact/hooks";
import { add } from "../actions/add";
import { loadRecipe } from "../actions/adjust";
import { chosen, type Found } from "../actions/files";
import { about, selected } from "../state";
import { t } from "../words";
import { Icon } from "./Icon";

const isRecipe = (file: File) => /\.json$/i.test(file.name);

/** Adds what was found; a recipe among it is for the shown picture. */
export function take({ files, leftOut }: Found) {
  const recipe = selected.value ? files.find(isRecipe) : undefined;
  if (recipe) void loadRecipe(recipe);
  const pictures = files.filter((file) => file !== recipe);
  if (pictures.length || leftOut || !recipe) add({ files: pictures, leftOut });
}

function useChooser(isFolder: boolean) {
  const input = useRef<HTMLInputElement>(null);
  const types = about.value
    ? [...about.value.photo_suffixes, ...about.value.video_suffixes].join(",")
    : "";
  const element = (
    <input
      ref={input}
      class={isFolder ? "choose-folder" : "choose-files"}
      type="file"
      multiple
      hidden
      aria-label={t(isFolder ? "add_folder" : "add_files")}
      {...(isFolder ? { webkitdirectory: true } : { accept: `image/*,video/*,${types}` })}
      onChange={(event) => {
        const files = event.currentTarget.files;
        if (files?.length) void chosen(files, isFolder).then(take);
        event.currentTarget.value = "";
      }}
    />
  );
  return [element, () => input.current?.click()] as const;
}

/** The buttons of the header that add files or a folder. */
export function Adding() {
  const [files, chooseFiles] = useChooser(false);
  const [folder, chooseFolder] = useChooser(true);
  return (
    <>
      {files}
      {folder}
      <button type="button" aria-label={t("add")} title={t("add_files")} onClick={chooseFiles}>
        <Icon name="add" /> <span class="label">{t("add")}</span>
      </button>
      <button type="button" class="quiet wide-only" onClick={chooseFolder}>
        {t("add_folder")}
      </button>
    </>
  );
}

/** What is shown while there is nothing. */
export function Empty() {
  const [files, chooseFiles] = useChooser(false);
  const [folder, chooseFolder] = useChooser(true);
  const isLocal = /^(localhost|127\.|\[::1\])/.test(location.hostname);
  return (
    <main class="empty">
      {files}
      {folder}
      <div class="drop-zone">
        <svg class="moon" viewBox="0 0 120 120" aria-hidden="true" focusable="false">
          <circle cx="60" cy="60" r="52" class="night" />
          <path d="M60 8a52 52 0 0 1 0 104z" class="day" />
          <path d="M60 2v116" class="cut" />
          <circle cx="60" cy="60" r="9" class="knob" />
        </svg>
        <p class="tagline">{t("tagline")}</p>
        <p class="drop-text">{t("drop")}</p>
        <button type="button" class="primary" onClick={chooseFiles}>
          {t("choose")}
        </button>
        <button type="button" class="link wide-only" onClick={chooseFolder}>
          {t("choose_folder")}
        </button>
      </div>
      <p class="private">
        <Icon name="lock" /> {t(isLocal ? "private" : "private_remote")}
      </p>
    </main>
  );
}
