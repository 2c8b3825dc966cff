/** The few pictures of the page, drawn as lines of one weight. */

const PATHS = {
  navigate: "M12 3v6M12 15v6M3 12h6M15 12h6",
  brush: "M14 4l6 6-8.5 8.5a3 3 0 0 1-2 .9L4 20l.6-5.5a3 3 0 0 1 .9-2zM11.5 6.5l6 6",
  eraser: "M8 20h12M5.5 14.5l9-9a2 2 0 0 1 2.8 0l2.2 2.2a2 2 0 0 1 0 2.8L11 19H8l-2.5-2.5a1.4 1.4 0 0 1 0-2zM10 10l5 5",
  push: "M4 20c6 0 9-3 9-8s3-8 7-8M4 12h6M7 9l3 3-3 3",
  fill: "M5 12l7-7 7 7-7 7zM4 4l4 4M20 16c1.5 2 1.5 4 0 4s-1.5-2 0-4z",
  between: "M4 5h16M4 19h16M8 9h8M9 12h6M8 15h8",
  point: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M12 11v2M11 12h2",
  scribble: "M4 17c3-9 6-9 7-4s4 5 9-7M17 19h4M19 17v4",
  box: "M5 5h3M5 5v3M19 5h-3M19 5v3M5 19h3M5 19v-3M19 19h-3M19 19v-3M9 12h6M12 9v6",
  extremes: "M12 3.500v3M12 17.500v3M3.500 12h3M17.500 12h3M12 8c3 0 4.500 1.500 4.500 4s-1.500 4-4.500 4-4.500-1.500-4.500-4 1.500-4 4.500-4z",
  window: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  undo: "M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M16 5l4 4-4 4M20 9H10a6 6 0 0 0 0 12h3",
  next: "M12 4a6 6 0 0 1 3.5 10.9c-.9.7-1.5 1.5-1.5 2.6h-4c0-1.100-.6-1.900-1.500-2.600A6 6 0 0 1 12 4zM10 21h4",
  hypotheses: "M12 4l8 4-8 4-8-4zM4 12l8 4 8-4M4 16l8 4 8-4",
  why: "M2.500 12c2.500-4.500 5.700-6.500 9.500-6.500s7 2 9.500 6.500c-2.500 4.500-5.700 6.500-9.500 6.500S5 16.500 2.500 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  closed: "M2.500 12c2.500 3.500 5.700 5 9.500 5s7-1.500 9.500-5M6 16.500l-1.500 2M12 17v2.500M18 16.500l1.500 2",
  region: "M4 4h2M4 4v2M9 4h2M14 4h2M20 4h-1M20 4v2M20 9v2M20 14v2M20 20v-1M20 20h-2M15 20h-2M10 20H8M4 20h1M4 20v-2M4 15v-2M4 10V8",
  reset: "M4 4v6h6M4.500 10a8 8 0 1 1-.300 5",
  grow: "M14 4h6v6M10 20H4v-6M20 4l-7 7M4 20l7-7",
  shrink: "M20 10h-6V4M4 14h6v6M14 10l6-6M10 14l-6 6",
  help: "M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 18v.01",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M19 5l-1.400 1.400M6.400 17.600L5 19",
  back: "M15 5l-7 7 7 7",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.500 4.500",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.500l4.500 4.500L19 7",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 21c.5-4 3.500-6 8-6s7.500 2 8 6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
