/** Small line drawings; what they mean is said by the button that holds them. */

const PATHS = {
  add: "M12 5v14M5 12h14",
  cancel: "M6 6h12v12H6z",
  close: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  minus: "M5 12h14",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  reset: "M4 12a8 8 0 1 0 2.6-5.9M4 4v4h4",
  retry: "M20 12a8 8 0 1 1-2.6-5.9M20 4v4h-4",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
  check: "M5 12.5l4.5 4.5L19 7",
  warn: "M12 4l9 16H3zM12 10v4.5M12 17v.5",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.5h4M4 14.5h4M16 9.5h4M16 14.5h4",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  split: "M12 3v18M8 8l-4 4 4 4M16 8l4 4-4 4",
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
