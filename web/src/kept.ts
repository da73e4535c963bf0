/** Small things that the browser keeps; where it may not, nothing is kept. */

export function kept(name: string, place: "localStorage" | "sessionStorage" = "localStorage") {
  const key = `undark.${name}`;
  const guarded = <T>(act: (storage: Storage) => T): T | null => {
    try {
      return act(window[place]);
    } catch {
      return null;
    }
  };
  return {
    get: () => guarded((storage) => storage.getItem(key)),
    set: (value: string) => void guarded((storage) => storage.setItem(key, value)),
  };
}
