import { about } from "../state";
import { switchTheme, theme } from "../theme";
import { LANGUAGES, language, speak, t } from "../words";
import { Adding } from "./Adding";
import { Icon } from "./Icon";

export function Header({ canAdd }: { canAdd: boolean }) {
  const isDark = theme.value === "dark";
  const label = t(isDark ? "theme_light" : "theme_dark");
  return (
    <header>
      <h1>
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
          <circle cx="16" cy="16" r="14" class="night" />
          <path d="M16 2a14 14 0 0 1 0 28z" class="day" />
        </svg>
        undark
      </h1>
      <span class="version">{about.value?.version}</span>
      <span class="grow" />
      {canAdd && <Adding />}
      <select
        class="quiet"
        aria-label={t("language")}
        value={language.value}
        onChange={(event) => speak(event.currentTarget.value)}
      >
        {Object.entries(LANGUAGES).map(([name, label]) => (
          <option key={name} value={name} lang={name}>
            {label}
          </option>
        ))}
      </select>
      <button type="button" class="quiet" aria-label={label} title={label} onClick={switchTheme}>
        <Icon name={isDark ? "sun" : "moon"} />
      </button>
    </header>
  );
}
