"""Debian's Chromium, driven by selenium; nothing is fetched for it. As root it needs its sandbox off."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests import skips

T = TypeVar("T")
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")

# Below are its hints for developers.
FAULTY = ("WARNING", "SEVERE")


class Browser:
    """One window. `faults`: what the page's own console complained of, a refusal by its policy among it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def resized(self, width: int, height: int) -> None:
        self.driver.set_window_size(width, height)

    def text(self, css: str = "main") -> str:
        return self.until(lambda: str(self.driver.find_element(By.CSS_SELECTOR, css).text), f"{css} is there")

    def element(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def count(self, css: str) -> int:
        return len(self.driver.find_elements(By.CSS_SELECTOR, css))

    def until(self, ask: Callable[[], T], what: str, timeout_s: float = 30.0) -> T:
        """Sections are replaced while they are looked at."""
        wait = WebDriverWait(self.driver, timeout_s, 0.05, [StaleElementReferenceException])
        return wait.until(lambda _: ask(), message=what)

    def until_says(self, words: str, css: str = "main", timeout_s: float = 60.0) -> None:
        self.until(lambda: words in self.text(css), f"{css} says {words!r}", timeout_s)

    def script(self, text: str) -> Any:
        return self.driver.execute_script(text)

    def keys(self, *keys: str) -> None:
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def faults(self) -> list[str]:
        return [str(entry["message"]) for entry in self.driver.get_log("browser") if entry["level"] in FAULTY]

    def picture(self, file: Path, width: int, height_max: int = 2_600) -> None:
        """The whole page at that width."""
        self.resized(width, 900)
        height = int(self.script("return document.documentElement.scrollHeight"))
        self.resized(width, min(height + 90, height_max))
        self.driver.save_screenshot(str(file))


@contextlib.contextmanager
def browser(*, dark: bool = False) -> Iterator[Browser]:
    """Skips the test, loudly, where there is no Chromium."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        skips.skip("chromium or its driver is not installed", next_step="apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (*ARGUMENTS, *(["--blink-settings=preferredColorScheme=0"] if dark else [])):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        opened.set_page_load_timeout(30)
        yield Browser(opened)
    finally:
        opened.quit()
