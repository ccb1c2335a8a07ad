"""A workbook of faces, people and parameters."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .crops import THUMBNAIL_SIDE

# A workbook with more pictures takes minutes to open; faces beyond have a row without one.
PICTURES = 10_000
ROW_HEIGHT, PICTURE_COLUMN = 60, 11


def workbook(sheets: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]],
             picture: Callable[[int, int], bytes | None] = lambda sheet, row: None) -> bytes:
    """An .xlsx file of sheets by name, each with its column names and its rows.

    picture: a JPEG for a row of a sheet, shown in the first column, which is then left free. Texts are written as
    texts, whatever they begin with: nothing in it is a formula or a link.
    """
    import xlsxwriter

    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
                                    "nan_inf_to_errors": True}) as book:
        bold = book.add_format({"bold": True, "bottom": 1})
        for number, (name, (columns, rows)) in enumerate(sheets.items()):
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            for place, column in enumerate(columns):
                sheet.write_string(0, place, column, bold)
                sheet.set_column(place, place, _width(column, [row[place] for row in rows[:200]]))
            sheet.autofilter(0, 0, len(rows), max(0, len(columns) - 1))
            pictures = 0
            for row, values in enumerate(rows, 1):
                for place, value in enumerate(values):
                    if isinstance(value, str):
                        sheet.write_string(row, place, value[:32767])
                    elif value is not None:
                        sheet.write_number(row, place, value)
                shown = picture(number, row - 1) if pictures < PICTURES else None
                if shown:
                    pictures += 1
                    _insert(sheet, row, shown)
    return file.getvalue()


def _insert(sheet: Any, row: int, picture: bytes) -> None:
    # Rows are measured in points, pictures in pixels of 0.75 points.
    scale = (ROW_HEIGHT - 4) / 0.75 / THUMBNAIL_SIDE
    sheet.set_row(row, ROW_HEIGHT)
    sheet.set_column(0, 0, PICTURE_COLUMN)
    sheet.insert_image(row, 0, "face.jpg", {"image_data": io.BytesIO(picture), "x_scale": scale, "y_scale": scale,
                                           "x_offset": 2, "y_offset": 2, "object_position": 1})


def _width(column: str, values: Sequence[Any]) -> int:
    return min(60, 2 + max(map(len, [column, *(str(value) for value in values)])))
