/** Times, money and scores for readers. */

/** In whatever unit a project counts. */
export const money = (value: number): string => value.toFixed(2);

/** "Dice" of the score that the server calls "dice". */
export const metricName = (metric: string): string => (metric === "dice" ? "Dice" : metric);

export function clock(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "–";
  const today = time.toDateString() === new Date().toDateString();
  const options: Intl.DateTimeFormatOptions = today ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" };
  return new Intl.DateTimeFormat(undefined, options).format(time);
}

/** A day as one says it: with the year only when it is another one. */
export function day(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "–";
  const sameYear = time.getFullYear() === new Date().getFullYear();
  return new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...(!sameYear && { year: "numeric" }) }).format(time);
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
