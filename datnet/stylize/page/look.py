"""What browsers get besides the controls: policy, scripts, styles."""

from __future__ import annotations

import gradio as gr

# Tells the browser to contact no other server.
HEAD = """\
<meta http-equiv="Content-Security-Policy" content="default-src 'self' data: blob: \
'unsafe-inline' 'unsafe-eval'">"""

# On a phone the result is far below the button. It grows when its pictures have loaded, which is
# after Gradio reports success.
SHOW_RESULT = """() => {
    const result = document.getElementById("result");
    const observer = new ResizeObserver(() => result.scrollIntoView({block: "nearest"}));
    observer.observe(result);
    setTimeout(() => observer.disconnect(), 10000);
}"""

# Gradio's buttons made of a picture have no name for screen readers; some appear later.
NAME_PICTURES = """() => {
    const name = () => {
        document.querySelectorAll("[id$=-examples]").forEach(
            group => group.querySelectorAll("button.gallery-item").forEach(
                (each, number) => { each.ariaLabel ??= `Example ${number + 1}`; }));
        document.querySelectorAll("#clicked button:has(img)").forEach(
            each => { each.ariaLabel ??= "Result: click on a place in it"; });
    };
    name();
    new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
}"""

# Small enough for five examples in a row, also on a phone. Gradio's own estimate of the time, from
# results of any size, would stand beside ours.
CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
.gallery { gap: 6px !important; }
.gallery-item .container { width: 50px !important; height: 50px !important; }
.wrap:has(.progress-level) .progress-text, .eta-bar { display: none !important; }
"""


def theme() -> gr.Theme:
    """Return Gradio's default theme with system fonts and hints of sufficient contrast."""
    return gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ).set(block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300")
