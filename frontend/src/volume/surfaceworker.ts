/** Makes the surfaces of a mask beside the page: each label is sent when it is there, then that all are. */
import { type Surface, type SurfaceRequest, surfacesOf } from "./surfaces";

/** The next surface of a mask; null when that was the last one. */
export type SurfaceReply = Surface | null;

const scope = self as unknown as { onmessage: (event: MessageEvent<SurfaceRequest>) => void; postMessage(reply: SurfaceReply, give?: Transferable[]): void };

scope.onmessage = ({ data }) => {
  for (const made of surfacesOf(data)) scope.postMessage(made, [made.positions.buffer, made.normals.buffer, made.triangles.buffer]);
  scope.postMessage(null);
};
