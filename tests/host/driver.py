"""Panoptic's page in a real Chromium, one method a gesture."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
CHROMIUM = shutil.which("chromium")
# A click in this empty part of the left panel closes every menu.
NOWHERE = (150, 480)
# What the French page calls things, in English.
ENGLISH = {"Créer des clusters": "Create Clusters", "Executer": "Run", "Lancer": "Run",
           "Avec la hiérarchie": "With the hierarchy", "Grouper": "Group"}


class Page:
    """The page of one server; pictures of what it shows go to ``pictures`` when a folder is given."""

    def __init__(self, address: str, pictures: Path | None = None) -> None:
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = self._browser.new_context(viewport={"width": 1600, "height": 1000})
        context.add_init_script("localStorage.setItem('tutorialFinished', 'true')")
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self._address, self._pictures, self._taken = address, pictures, 0
        self._language = "fr"

    def _said(self, words: str) -> str:
        return words if self._language == "fr" else ENGLISH[words]

    def close(self) -> None:
        self._browser.close()
        self._playwright.stop()

    def picture(self, name: str) -> None:
        if self._pictures:
            self._pictures.mkdir(parents=True, exist_ok=True)
            self._taken += 1
            self.page.screenshot(path=self._pictures / f"{self._taken:02d}_{name}.png")

    def open(self, project: str, language: str = "fr") -> None:
        """Open a project from the home page, which the server skips for the project used last."""
        self.page.goto(self._address + "/")
        # A project stays in the view in which it was left, a map without lines of groups for one; the arrow is in all.
        leave = self.page.locator(".bi-arrow-left").first
        leave.or_(self.page.locator("#create-project")).first.wait_for(state="attached")
        time.sleep(1)
        if leave.count():
            leave.click()
            self.page.locator("#create-project").wait_for(state="attached")
        if self.page.locator(".modal.show").count():
            self.page.keyboard.press("Escape")
        self.page.get_by_text(project, exact=True).first.click()
        self.page.locator(".group-line").first.wait_for(state="attached")
        time.sleep(1)
        self.page.locator(".lang select").first.select_option(language)
        self._language = language
        time.sleep(0.5)

    def _leave_menus(self) -> None:
        for _ in range(4):
            if not self.page.locator(".opt-menu:visible, .function-header:visible").count():
                return
            self.page.mouse.click(*NOWHERE)
            time.sleep(0.3)

    def line(self, group: str) -> Locator:
        """The line of a group; of several with one name, the last: groups within a group come after it."""
        named = self.page.locator("b").filter(has_text=_exactly(group))
        return self.page.locator(".group-line").filter(has=named).last

    def form(self, function: str, group: str = "All", menu: str = "Créer des clusters") -> list[str]:
        """Open the form of a function in the menu of a group, and give the names of its parameters."""
        self._leave_menus()
        self.line(group).locator(".opt-btn").last.click()
        self.page.locator(".opt-menu:visible .opt-row", has_text=_exactly(self._said(menu))).click()
        header = self.page.locator(".function-header:visible").first
        header.wait_for()
        if header.inner_text().strip() != function:
            header.click()
            self.page.locator(".option:visible").filter(has=self.page.get_by_text(function, exact=True)).click()
            self.page.wait_for_timeout(300)
        return self._labels().all_inner_texts()

    def _labels(self) -> Locator:
        return self.page.locator(".params-grid:visible .label-cell")

    def tooltip(self, parameter: int) -> str:
        """What the page tells of a parameter of the open form; empty where there is none."""
        if not self._labels().count():
            return ""
        self._labels().nth(parameter).hover()
        shown = self.page.locator(".wtt-popper:visible").first
        shown.wait_for()
        return shown.inner_text().strip()

    def group_by(self, name: str) -> None:
        """Show the images by a property, with the page's own “Grouper”."""
        self._leave_menus()
        self.page.get_by_text(f"{self._said('Grouper')}", exact=False).first.locator("xpath=following::i[1]").click()
        # It stands in the list of properties too; the menu comes after it.
        self.page.get_by_text(name, exact=True).nth(1).wait_for()
        self.page.get_by_text(name, exact=True).last.click()
        self.page.locator(".group-line").nth(1).wait_for()
        self.page.wait_for_timeout(1000)

    def run(self, function: str, group: str = "All", menu: str = "Créer des clusters", **inputs: Any) -> Any:
        """Choose a function in the menu of a group, fill in its form, run it and give its answer."""
        self.form(function, group, menu)
        for name, value in inputs.items():
            label = self.page.locator(".params-grid:visible .label-cell").filter(
                has=self.page.get_by_text(name, exact=True))
            cell = label.locator("xpath=following-sibling::*[1]")
            if cell.locator("select").count():
                cell.locator("select").select_option(str(value))
            elif isinstance(value, bool):
                cell.locator("input[type=checkbox]").set_checked(value)
            else:
                cell.locator("input").first.fill(str(value))
        self.picture(f"form_{function.split('.')[-1]}")
        with self.page.expect_response(lambda answer: "action_execute" in answer.url, timeout=120_000) as answer:
            self.page.locator(".bar:visible .bb", has_text=self._said("Lancer")).click()
        time.sleep(1.5)
        assert answer.value.status == 200, answer.value.text()
        return answer.value.json()

    def close_clusters(self) -> None:
        """Leave the clusters that are shown, with the cross of the top line."""
        self._leave_menus()
        self.line("All").locator(".bi-x, .bi-x-lg").first.click()
        time.sleep(0.5)

    def save(self, mode: str = "Avec la hiérarchie") -> None:
        """Save the clusters with the diskette of the top line."""
        self._leave_menus()
        self.line("All").locator(".bi-floppy2-fill").click()
        self.page.locator(".opt-menu:visible .opt-row", has_text=self._said(mode)).click()
        time.sleep(2)

    def lines(self) -> dict[str, str | None]:
        """The groups in view, from the top: name → badge, None where it has none."""
        found = self.page.evaluate("""() => [...document.querySelectorAll('.group-line')].map(line => [
            line.getBoundingClientRect().top, line.querySelector('b')?.innerText,
            line.querySelector('.tag-badge')?.innerText ?? null])""")
        return {name: badge for _, name, badge in sorted(found, key=lambda row: row[0])}

    def tasks(self) -> str:
        """What the list of tasks shows."""
        self._leave_menus()
        self.page.locator(".bi-cpu").first.click()
        shown = self.page.locator(".task-dropdown")
        shown.wait_for()
        text = shown.inner_text()
        self.picture("tasks")
        self.page.mouse.click(*NOWHERE)
        return text

    def notice(self) -> str | None:
        """The text of the modal window that a notice opens, which is closed; None where there is none."""
        window = self.page.locator(".p-modal:visible").filter(has_text="Notification Center")
        if not window.count():
            return None
        text = window.first.inner_text()
        self.picture("notice")
        window.locator(".bi-x, .bi-x-lg").first.click()
        time.sleep(0.5)
        return text


def _exactly(name: str) -> Any:
    import re

    return re.compile(f"^{re.escape(name)}$")
