/** Below the image: through a film by slider, buttons and keys. */
import { frameText } from "../geometry/frames";
import type { CaseSession } from "../state/session";
import { stepFrame } from "../tools/keyactions";
import { type ActionId, ariaKey, withKey } from "../tools/keytables";
import { Icon, type IconName } from "./icons";

export function FrameBar({ session }: { session: CaseSession }) {
  if (!session.isFilm) return null;
  const { playing } = session.film;
  const { frame_seconds, shape } = session.header;
  const here = session.crosshair.value[2];
  const text = frameText(frame_seconds, shape[2], here);
  const show = (frame: number): void => {
    session.film.stop();
    session.moveSlice(0, frame - session.crosshair.value[2]);
  };
  return (
    <div class="frame-bar" role="group" aria-label="Frames over time" data-testid="frame-bar">
      <Press icon="previous" name="Previous frame" action="slice-back" testid="frame-back" onPress={() => stepFrame(session, -1)} />
      <Press
        icon={playing.value ? "pause" : "play"}
        name={playing.value ? "Pause" : "Play"}
        action="play"
        testid="frame-play"
        pressed={playing.value}
        onPress={() => session.film.toggle()}
      />
      <Press icon="following" name="Next frame" action="slice-next" testid="frame-next" onPress={() => stepFrame(session, 1)} />
      <input
        type="range"
        min={0}
        max={shape[2] - 1}
        step={1}
        value={here}
        aria-label="Frame"
        aria-valuetext={text}
        data-testid="frame-slider"
        onInput={(event) => show(Number(event.currentTarget.value))}
        onPointerUp={(event) => event.currentTarget.blur()}
      />
      <output data-testid="frame-text">{text}</output>
    </div>
  );
}

interface PressProps {
  icon: IconName;
  name: string;
  action: ActionId;
  testid: string;
  pressed?: boolean;
  onPress: () => void;
}

function Press({ icon, name, action, testid, pressed, onPress }: PressProps) {
  return (
    <button
      type="button"
      class="icon-button"
      title={withKey(name, action)}
      aria-label={name}
      aria-pressed={pressed}
      aria-keyshortcuts={ariaKey(action)}
      data-testid={testid}
      onMouseDown={(event) => event.preventDefault()}
      onClick={onPress}
    >
      <Icon name={icon} />
    </button>
  );
}
