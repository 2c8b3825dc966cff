/** The grid, whose script is fetched with the first look at one. */
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import type { Project } from "../api/types";
import { tellError } from "../state/notices";

interface GridProps {
  project: Project;
  query: string;
}

const view = signal<ComponentType<GridProps> | null>(null);

export function LazyGrid(props: GridProps) {
  useEffect(() => {
    if (!view.value)
      import("./grid")
        .then(({ GridView }) => {
          view.value = GridView;
        })
        .catch(tellError);
  }, []);
  const Grid = view.value;
  return Grid ? <Grid {...props} /> : <main class="centre" />;
}
