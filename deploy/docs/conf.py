"""The documentation as a site, by Sphinx: `make docs`. Warnings are errors: a link that leads nowhere ends the build."""

from typing import Any

project = "Duecycle"
html_title = "Duecycle"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_copy_source = False
html_show_sourcelink = False
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block"]
# Diagrams are text for mermaid; the browser draws them.
myst_fence_as_directive = ["mermaid"]
MERMAID = "https://cdn.jsdelivr.net/npm/mermaid@11/dist/mermaid.esm.min.mjs"
html_js_files = [(None, {"type": "module", "body": f"import mermaid from '{MERMAID}'; mermaid.initialize({{}});"})]
suppress_warnings = ["misc.highlighting_failure", "myst.header"]  # lines of JSON are no JSON document


def setup(app: Any) -> None:
    """Let ```mermaid be a block of the page that the browser draws."""
    from docutils import nodes
    from docutils.parsers.rst import Directive

    class Mermaid(Directive):
        has_content = True

        def run(self) -> list[nodes.Node]:
            text = "\n".join(self.content).replace("&", "&amp;").replace("<", "&lt;")
            return [nodes.raw("", f'<pre class="mermaid">\n{text}\n</pre>', format="html")]

    app.add_directive("mermaid", Mermaid)
