/** Works out one task after the other, beside the page. */
import { perform, type Task } from "./perform";

self.onmessage = ({ data }: MessageEvent<Task>): void => {
  const runs = perform(data);
  self.postMessage(runs, { transfer: [runs.buffer] });
};
