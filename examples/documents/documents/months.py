"""The names of months and of the days of the week, in the languages that papers come in.

English, German, French, Spanish, Italian, Portuguese, Dutch, Malay and Indonesian; in capitals
without accents.
"""

from __future__ import annotations

from functools import lru_cache

from .wording import is_one_edit_away

__all__ = ["month_of", "nearest_month", "weekday_of"]

_MONTHS = (
    "JAN JANUARY JANUAR JANNER JAENNER JANVIER JANV ENERO ENE GENNAIO GEN JANEIRO JANUARI",
    "FEB FEBRUARY FEBRUAR FEVRIER FEVR FEV FEBRERO FEBBRAIO FEVEREIRO FEBRUARI",
    "MAR MARCH MARZ MAERZ MRZ MARS MARZO MARCO MAART MRT MAC MARET",
    "APR APRIL AVRIL AVR ABRIL ABR APRILE",
    "MAY MAI MAYO MAGGIO MAG MAIO MEI",
    "JUN JUNE JUNI JUIN JUNIO GIUGNO GIU JUNHO",
    "JUL JULY JULI JUILLET JUIL JULIO LUGLIO LUG JULHO JULAI",
    "AUG AUGUST AOUT AGOSTO AGO AUGUSTUS OGOS AGUSTUS AGU AGT",
    "SEP SEPT SEPTEMBER SEPTEMBRE SEPTIEMBRE SETTEMBRE SET SETEMBRO",
    "OCT OKT OCTOBER OKTOBER OCTOBRE OCTUBRE OTTOBRE OTT OUTUBRO OUT",
    "NOV NOVEMBER NOVEMBRE NOVIEMBRE NOVEMBRO NOPEMBER",
    "DEC DEZ DECEMBER DEZEMBER DECEMBRE DICIEMBRE DIC DICEMBRE DEZEMBRO DESEMBER DES DISEMBER DIS",
)
_WEEKDAYS = (
    "MON MONDAY MONTAG LUNDI LUNES LUNEDI SEGUNDA MAANDAG ISNIN SENIN",
    "TUE TUES TUESDAY DIENSTAG MARDI MARTES MARTEDI TERCA DINSDAG SELASA",
    "WED WEDNESDAY MITTWOCH MERCREDI MIERCOLES MERCOLEDI QUARTA WOENSDAG RABU",
    "THU THUR THURS THURSDAY DONNERSTAG JEUDI JUEVES GIOVEDI QUINTA DONDERDAG KHAMIS KAMIS",
    "FRI FRIDAY FREITAG VENDREDI VIERNES VENERDI SEXTA VRIJDAG JUMAAT JUMAT",
    "SAT SATURDAY SAMSTAG SONNABEND SAMEDI SABADO SABATO ZATERDAG SABTU",
    "SUN SUNDAY SONNTAG DIMANCHE DOMINGO DOMENICA ZONDAG AHAD MINGGU",
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
_WEEKDAY_OF = {name: number for number, names in enumerate(_WEEKDAYS) for name in names.split()}
_LONG = sorted(name for name in _MONTH_OF if len(name) > 4)
_AS_LETTER = str.maketrans("0158", "OISB")


@lru_cache(maxsize=2048)
def month_of(name: str) -> int | None:
    """1 for "JANUARY", "GENNAIO" or "JANUARV"; None where it is no month."""
    plain = name.translate(_AS_LETTER)
    if plain in _MONTH_OF:
        return _MONTH_OF[plain]
    if len(plain) < 5:
        return None
    return next((_MONTH_OF[known] for known in _LONG if is_one_edit_away(plain, known)), None)


@lru_cache(maxsize=2048)
def nearest_month(name: str) -> int | None:
    """The month of whose three letters one was misread, "HAR" for "MAR"; None where two are as near."""
    if len(name) != 3:
        return None
    plain = name.translate(_AS_LETTER)
    near = [
        number
        for number, names in enumerate(_MONTHS, start=1)
        if sum(one != other for one, other in zip(plain, names[:3], strict=True)) == 1
    ]
    return near[0] if len(near) == 1 else None


def weekday_of(name: str) -> int | None:
    """0 for "MONDAY" or "LUNDI", as `datetime.date.weekday` counts; None where it is no weekday."""
    return _WEEKDAY_OF.get(name)
