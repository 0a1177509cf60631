"""What browsers get besides the controls: policy, scripts, styles."""

from __future__ import annotations

import gradio as gr

# Tells the browser to contact no other server.
HEAD = """\
<meta http-equiv="Content-Security-Policy" content="default-src 'self' data: blob: \
'unsafe-inline' 'unsafe-eval'">"""

# On a phone the result is far below the button. It grows when its pictures have loaded, which is
# after Gradio reports success. Who moves on meanwhile is left where they are.
SHOW_RESULT = """() => {
    const result = document.getElementById("result");
    const observer = new ResizeObserver(() => result.scrollIntoView({block: "nearest"}));
    observer.observe(result);
    const stop = () => observer.disconnect();
    setTimeout(stop, 10000);
    ["keydown", "pointerdown", "wheel"].forEach(kind => addEventListener(kind, stop, {once: true}));
    document.getElementById("spoken").textContent = "The result is ready. ";
    setTimeout(() => { document.getElementById("spoken").textContent = ""; }, 10000);
}"""

# What Gradio's controls lack for keyboards and screen readers: names of buttons made of a picture,
# groups of radio buttons in which arrow keys move, the state of folded parts, a handle between
# before and after that keys move (by the events of a mouse), and a word when the result is there.
ACCESSIBLE = """() => {
    const all = (selector, action) => document.querySelectorAll(selector).forEach(action);
    const drag = (event, handle) => {
        const step = {ArrowLeft: -0.05, ArrowRight: 0.05}[event.key];
        if (!step) return;
        event.preventDefault();
        const box = handle.getBoundingClientRect();
        const frame = handle.parentElement.getBoundingClientRect();
        const from = box.x + box.width / 2;
        const to = from + step * frame.width;
        const send = (kind, target, clientX) => target.dispatchEvent(new MouseEvent(
            kind, {clientX, clientY: box.y + box.height / 2, view: window, bubbles: true}));
        send("mousedown", handle, from);
        send("mousemove", window, to);
        send("mouseup", window, to);
        const share = Math.min(Math.max((to - frame.x) / frame.width, 0), 1);
        handle.ariaValueNow = Math.round(100 * share);
    };
    const mend = () => {
        all("[id$=-examples]", group => group.querySelectorAll("button.gallery-item").forEach(
            (each, number) => { each.ariaLabel ??= `Example ${number + 1}`; }));
        all("#clicked button:has(img)",
            each => { each.ariaLabel ??= "Result: click on a place in it"; });
        all("fieldset", group => {
            const radios = group.querySelectorAll("input[type=radio]");
            radios.forEach(each => { each.name = radios[0].name; });
            group.ariaLabel ??= group.querySelector("[data-testid=block-info]")?.textContent;
        });
        all(".label-wrap", each => { each.ariaExpanded = each.classList.contains("open"); });
        all("#result img", (each, number) => {
            each.alt = number ? "The stylized photo" : "The photo before"; });
        all("#result [data-testid=slider][role=none]", handle => {
            handle.role = "slider";
            handle.tabIndex = 0;
            handle.ariaLabel = "Before and after";
            handle.ariaValueNow = 25;
            handle.addEventListener("keydown", event => drag(event, handle));
        });
    };
    const spoken = document.createElement("div");
    spoken.id = "spoken";
    spoken.role = "status";
    document.body.append(spoken);
    mend();
    new MutationObserver(mend).observe(document.body, {
        childList: true, subtree: true, attributes: true, attributeFilter: ["class"]});
}"""

# Small enough for five examples in a row, also on a phone. Gradio's own estimate of the time, from
# results of any size, would stand beside ours. Its radio buttons and sliders do not show the focus.
CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
.gallery { gap: 6px !important; }
.gallery-item .container { width: 50px !important; height: 50px !important; }
.wrap:has(.progress-level) .progress-text, .eta-bar { display: none !important; }
:focus-visible { outline: 3px solid #1d4ed8 !important; outline-offset: 2px !important; }
.dark :focus-visible { outline-color: #93c5fd !important; }
#spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""


def theme() -> gr.Theme:
    """Return Gradio's default theme with system fonts and hints of sufficient contrast."""
    return gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ).set(block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300")
