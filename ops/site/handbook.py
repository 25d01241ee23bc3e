"""The Markdown of docs/ as pages of the site."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from extract.base.settings import ROOT

Tokens = Sequence[Token]
DOCS = ROOT / "docs"
PURPOSE = re.compile(r"^\| (.+?) \| \[.+?\]\((.+?)\.md\) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Chapter:
    """A page of the handbook.

    Attributes:
        purpose: What one reads it for, as the index says: "know what a column means".
    """

    name: str
    title: str
    text: str
    purpose: str = ""

    @property
    def file(self) -> str:
        """Its name in the site."""
        return page_name(self.name)

    @property
    def html(self) -> Markup:
        """Its text; raw HTML in the Markdown is shown, not obeyed."""
        markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
        return Markup(markdown.enable("table").render(self.text))


def chapters() -> list[Chapter]:
    """Every page of docs/, in the order of its index."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    purposes = {name: text for text, name in PURPOSE.findall(index)}
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(DOCS.glob("*.md"))}
    found = []
    for name in dict.fromkeys(["index", *purposes, *texts]):
        title = re.search(r"^# (.+)$", texts[name], re.MULTILINE)
        purpose = purposes.get(name, "")
        found.append(Chapter(name, title[1] if title else name, texts[name], purpose))
    return found


def copy_images(site: Path) -> None:
    """Put the pictures that the pages show beside them."""
    if (DOCS / "images").is_dir():
        shutil.copytree(DOCS / "images", site / "images", dirs_exist_ok=True)


def page_name(name: str) -> str:
    """The page of a file in docs/: the handbook begins with its index."""
    return "handbook.html" if name == "index" else f"{name}.html"


def anchor(heading: str) -> str:
    """What a heading is linked by, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


class _Renderer(RendererHTML):
    """Headings to link to, links between pages, and parts that scroll by the keyboard."""

    def heading_open(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        tokens[idx].attrSet("id", anchor(re.sub(r"[`*]", "", tokens[idx + 1].content)))
        return self.renderToken(tokens, idx, options, env)

    def link_open(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        target = str(tokens[idx].attrGet("href") or "")
        file, hash_, fragment = target.partition("#")
        if file.endswith(".md") and "/" not in file:
            tokens[idx].attrSet("href", page_name(file.removesuffix(".md")) + hash_ + fragment)
        elif file.startswith("../"):  # a file of the repository, which the site does not have
            tokens[idx].attrs.pop("href")
            tokens[idx].attrSet("title", f"in the repository: {file.removeprefix('../')}")
        return self.renderToken(tokens, idx, options, env)

    def table_open(self, *_: Any) -> str:
        return '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Tokens, idx: int, options: Any, env: Any) -> str:
        text = super().fence(tokens, idx, options, env)
        return text.replace("<pre>", '<pre tabindex="0">', 1)
