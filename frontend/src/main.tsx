/** Starts the page. */
import { render } from "preact";
import { followInput } from "./browser/idle";
import { followPresses } from "./browser/secondhalf";
import { exposeInspection } from "./state/inspect";
import { followAddress } from "./state/router";
import { watchClosing } from "./state/saving";
import { followTheme } from "./state/theme";
import { App } from "./views/app";
import { LinkView, linkHere, ProviderReply, replyHere } from "./views/signin";
import "./style/tokens.css";
import "./style/base.css";
import "./style/lists.css";
import "./style/annotate.css";
import "./style/charts.css";
import "./style/review.css";

followTheme();
followInput();
followAddress();
followPresses();
watchClosing();
exposeInspection();
const link = linkHere(location);
const reply = replyHere(location);
render(link ? <LinkView {...link} /> : reply ? <ProviderReply reply={reply} /> : <App />, document.getElementById("page")!);
