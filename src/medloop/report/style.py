"""The style sheet of every report: one for light, one for dark, readable when printed."""

_COLOURS_LIGHT = ("#0072b2", "#d55e00", "#00805c", "#b0388b", "#7a6a00", "#4b3bbd", "#8c510a", "#5a5a5a", "#c51b3d")
_COLOURS_DARK = ("#56b4e9", "#ff9d5c", "#3fcf9f", "#f08ac9", "#e3cf4c", "#a79bff", "#d8a262", "#b5b5b5", "#ff7f93")
"""Okabe and Ito's palette, darkened or lightened for contrast of at least 4.5 to 1 on the paper."""

_RULES = """
:root{color-scheme:light dark;--ink:#1b2330;--soft:#5b6575;--paper:#fff;--panel:#f6f7f9;--line:#dde1e7;
--better:#d9efe4;--better-ink:#0b5f3f;--worse:#fbe6da;--worse-ink:#8a3b06}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#a3adbb;--paper:#12161c;--panel:#1a2028;--line:#323a46;
--better:#15402f;--better-ink:#8fe3bf;--worse:#4a2815;--worse-ink:#ffbd8f}}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--ink);background:var(--paper);
max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.6rem 0 .6rem}
h1.part{margin-top:3.5rem;padding-top:1rem;border-top:2px solid var(--line)}a{color:inherit}
h3{font-size:1rem;margin:1.8rem 0 .4rem}
p{margin:.5rem 0;max-width:46rem}.soft,figcaption{color:var(--soft);font-size:.92rem}
.verdict{background:var(--panel);border-left:4px solid var(--ink);padding:.8rem 1rem;margin:1.4rem 0;border-radius:0 6px 6px 0}
.verdict p{margin:0;max-width:none}.verdict ul{margin:.5rem 0 0;padding-left:1.2rem}.verdict ul+ul{color:var(--soft);font-size:.92rem}
.open{border-left-style:dashed}
figure{margin:0}svg{display:block;width:100%;height:auto}
.figures{display:grid;gap:1.2rem 1.6rem;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));align-items:start;margin:.8rem 0}
.figures.wide{grid-template-columns:repeat(auto-fit,minmax(22rem,28rem))}
.figures:not(.wide)>figure{max-width:26rem}
svg.picture{background:#000;max-height:26rem;border-radius:4px}svg.key{display:inline-block;width:1.6rem;height:.7rem}
.outline{fill:none;stroke-linejoin:round;vector-effect:non-scaling-stroke;stroke-width:2}.outline:not([stroke]){stroke:#000;stroke-width:3.4;opacity:.55}
.predicted[stroke]{stroke-dasharray:5 4}svg.key .outline{stroke:var(--ink);stroke-width:2;opacity:1}svg.key .predicted{stroke-dasharray:5 4}
.dot circle,circle.dot{fill:currentColor;fill-opacity:.75;stroke:var(--ink);stroke-width:.8}
.box{fill:currentColor;opacity:.25}.median{stroke:var(--ink);stroke-width:2.5}.bar{fill:currentColor}
svg text{fill:var(--soft);font-size:13px}svg text.name{fill:var(--ink)}
.grid{stroke:var(--line)}.axis,.leader{stroke:var(--soft)}.leader{stroke-width:.75;opacity:.6}
.line{fill:none;stroke:currentColor;stroke-width:2.25;stroke-linejoin:round}svg g{fill:currentColor}
.band{fill:currentColor;opacity:.13}rect.full{fill:var(--soft);opacity:.12}
line.full{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:7 5}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;min-width:30rem;font-size:.95rem}
th,td{padding:.38rem .8rem .38rem 0;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{font-weight:600;color:var(--soft)}th:first-child,td:first-child,.t{text-align:left}td.t{white-space:normal;min-width:5rem}
tbody th{color:var(--ink);font-weight:500}
table.matrix td{padding:.45rem .7rem;text-align:center;border:1px solid var(--line)}table.matrix th{padding:.45rem .7rem}
table.matrix thead th{text-align:center}
td.better{background:var(--better);color:var(--better-ink);font-weight:600}
td.worse{background:var(--worse);color:var(--worse-ink);font-weight:600}td.self{background:var(--panel)}
td small{display:block;color:var(--soft);font-weight:400}td.better small,td.worse small{color:inherit}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem;margin:0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media print{body{max-width:none;padding:0;font-size:13px}figure,tr,.verdict{break-inside:avoid}h2{break-after:avoid}
.figures{grid-template-columns:repeat(3,1fr)}.figures.wide{grid-template-columns:repeat(2,1fr)}*{print-color-adjust:exact}}
"""


def style_sheet() -> str:
    """Everything between the style tags."""
    light = "".join(f".c{n}{{color:{c}}}" for n, c in enumerate(_COLOURS_LIGHT))
    dark = "".join(f".c{n}{{color:{c}}}" for n, c in enumerate(_COLOURS_DARK))
    return f"{_RULES}{light}@media screen and (prefers-color-scheme:dark){{{dark}}}"


def inline_style_sheet() -> str:
    """The same for a part of somebody else's page (a notebook's cell): it holds within elements of the class "medloop" alone."""
    inner = style_sheet().replace(":root{", ":scope{").replace("body{", ":scope{")
    return f"@scope(.medloop){{{inner}:scope{{padding:.75rem 1rem;margin:0;max-width:none}}}}"
