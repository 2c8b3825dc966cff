/** Messages at the lower edge: errors stay until closed and say what to do. */
import { dismiss, notices } from "../state/notices";
import { Icon } from "./icons";

export function Notices() {
  return (
    <div class="notices" aria-live="polite" data-testid="notices">
      {notices.value.map((notice) => (
        <div key={notice.id} class={`notice notice-${notice.tone}`} role={notice.tone === "error" ? "alert" : "status"}>
          <div>
            <strong>{notice.message}</strong>
            {notice.remedy && <span>{notice.remedy}</span>}
          </div>
          {notice.action && (
            <button class="small" data-testid="notice-action" onMouseDown={(event) => event.preventDefault()} onClick={notice.action.act}>
              {notice.action.name}
            </button>
          )}
          <button class="quiet" aria-label="Close this message" onClick={() => dismiss(notice.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
