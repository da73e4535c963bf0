import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Refusal } from "../engine";
import { enter } from "../server";
import { tokenWanted } from "../state";
import { line, t } from "../words";

/** Asks for the server's token; all requests wait for it. */
export function TokenForm() {
  const dialog = useRef<HTMLDialogElement>(null);
  const error = useSignal("");
  const isWanted = tokenWanted.value !== null;
  useEffect(() => {
    if (isWanted) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isWanted]);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const token = String(new FormData(form).get("token") ?? "").trim();
    error.value = "";
    try {
      await enter(token);
      form.reset();
      tokenWanted.value?.();
    } catch (problem) {
      const isWrong = problem instanceof Refusal && [401, 403, 422].includes(problem.status);
      error.value = isWrong ? t("token_wrong") : line(problem);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="token-text" onCancel={(event) => event.preventDefault()}>
      <form onSubmit={(event) => void submit(event)}>
        <p id="token-text">{t("token_text")}</p>
        {/* What password managers keep the token under. */}
        <input type="text" name="username" autocomplete="username" value="undark" readOnly hidden />
        <label for="token">{t("token")}</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required />
        {error.value && (
          <p class="form-error" role="alert">
            {error.value}
          </p>
        )}
        <button type="submit" class="primary">
          {t("token_enter")}
        </button>
      </form>
    </dialog>
  );
}
