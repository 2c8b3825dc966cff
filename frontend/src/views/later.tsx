/** Views that are not needed to annotate: each has a script of its own, fetched when it is first opened. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

/** A view that comes with its script, and what stands in its place until then, or where the script cannot be had. */
export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  Place: ComponentType<{ failed: boolean }> = Missing,
): ComponentType<Props> {
  let known: ComponentType<Props> | null = null;
  return function Later(props: Props) {
    const [, setArrived] = useState(known !== null);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      if (known) return;
      load().then(
        (view) => {
          known = view;
          setArrived(true);
        },
        () => setFailed(true),
      );
    }, []);
    const View = known;
    if (View) return <View {...props} />;
    return <Place failed={failed} />;
  };
}

export function Missing({ failed }: { failed: boolean }) {
  return (
    <main class="centre">
      {failed && (
        <div class="empty" role="alert">
          <strong>This part of the page could not be fetched.</strong>
          <p>The server may be away, or newer than the page. What you drew is kept.</p>
          <button class="primary" onClick={() => location.reload()}>
            Load the page again
          </button>
        </div>
      )}
    </main>
  );
}
