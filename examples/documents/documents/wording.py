"""The label words of business papers, recognised through the mistakes of OCR and in several languages."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["in_capitals", "is_one_edit_away", "read_words"]

# Words that decide something; long enough ones are recognised with one letter wrong.
_KNOWN = frozenset({
    "TOTAL", "SUBTOTAL", "GRAND", "PAYABLE", "AMOUNT", "BALANCE", "ROUNDED", "ROUNDING", "CHANGE",
    "CASHIER", "QUANTITY", "ITEMS", "DISCOUNT", "SUMMARY", "EXCLUDING", "EXCLUSIVE", "INCLUDING",
    "INCLUSIVE", "INCLUDED", "INCLUDES", "SAVINGS", "TENDERED", "TENDER", "PAYMENT", "RECEIVED",
    "MASTERCARD", "MASTER", "ADJUSTMENT", "SUPPLIES", "POINTS", "INVOICE", "RECEIPT", "SALES", "SERVICE",
    "CHARGE", "CHARGES", "PRINTED", "DELIVERY", "EXPIRY", "GESAMT", "SUMME", "TOTALE", "TOTAAL", "IMPORTE",
    "MONTANT", "JUMLAH", "ENDBETRAG", "GESAMTBETRAG", "RECHNUNGSBETRAG", "ZWISCHENSUMME", "RABATT",
    "REMISE", "DESCUENTO",
})  # fmt: skip
# Other words, and those of other languages, for what one English word says.
_SAME = {
    same: word
    for word, others in {
        "TOTAL": "TOTALS TOTALE TOTAAL SUMME GESAMT GESAMTSUMME GESAMTBETRAG ENDSUMME ENDBETRAG TTC JUMLAH"
        " RECHNUNGSBETRAG RECHNUNGSSUMME TOTALBETRAG TOTALBELOPP",
        "SUBTOTAL": "ZWISCHENSUMME SOUSTOTAL SUBTOTALE SUBTOTAAL SUBJUMLAH NETTOBETRAG NETTOSUMME IMPONIBLE"
        " IMPONIBILE",
        "AMOUNT": "AMOUNTS AMT BETRAG MONTANT IMPORTE IMPORTO BEDRAG AMAUN",
        "PAYABLE": "ZAHLEN ZAHLBETRAG PAYER PAGAR PAGARE BETALEN DIBAYAR PERLU",
        "NETT": "NET",
        "TAX": "MWST UST UMSATZSTEUER MEHRWERTSTEUER STEUER TVA IVA BTW PPN CUKAI MOMS HST QST PST TPS TVQ"
        " CGST SGST IGST USTEUER",
        "EXCL": "HT NETTO EXCLU HORS",
        "INCL": "BRUTTO INKL INCLUS COMPRIS",
        "CASH": "BAR BARGELD GEGEBEN ESPECES CONTANTI CONTANTE CONTANT EFECTIVO DINHEIRO TUNAI",
        "CHANGE": "RUECKGELD RUCKGELD WECHSELGELD ZURUCK RENDU MONNAIE RESTO CAMBIO TROCO WISSELGELD KEMBALI"
        " KEMBALIAN BAKI",
        "CARD": "KARTE KARTENZAHLUNG GIROCARD CARTE CB TARJETA CARTA KAART CREDIT KREDITKARTE MAESTRO",
        "DISCOUNT": "DISC RABATT NACHLASS REMISE DESCUENTO SCONTO DESCONTO KORTING DISKAUN",
        "ROUNDING": "ROUND RUNDUNG ARRONDI REDONDEO ARROTONDAMENTO PEMBUNDARAN PELARASAN",
        "SERVICE": "SVC SVR SERV SERVIS BEDIENUNG",
        "TIP": "TIPS GRATUITY TRINKGELD POURBOIRE PROPINA MANCIA GORJETA FOOI",
        "QTY": "MENGE ANZAHL QTE CANTIDAD QUANTITA QUANTIDADE AANTAL KUANTITI",
        "ITEM": "ARTIKEL ARTICLE ARTICLES ARTICULOS ARTICOLI",
        "DATE": "DATUM FECHA DATA TARIKH TANGGAL",
        "DUE": "FALLIG FAELLIG ECHEANCE VENCIMIENTO SCADENZA VENCIMENTO ZAHLBAR",
    }.items()
    for same in others.split()
}
_AS_LETTER = str.maketrans("015843|!$", "OISBAEIIS")
_WORD = re.compile(r"[A-Z0-9!$][A-Z0-9|!$'-]*")
_SPACED = re.compile(r"(?<![A-Z0-9])[A-Z](?: [A-Z]){3,15}(?![A-Z0-9])")
# Words that OCR likes to stick to the next, or to tear in two.
_FIRST = ("SUBTOTAL", "TOTAL", "GRAND", "CASH", "CHANGE", "ROUNDING")
_TORN = {"SUBTOTAL", "TOTAL", "CHANGE", "AMOUNT", "ROUNDING", "PAYABLE", "CASH"}
_BARE = {
    code: unicodedata.normalize("NFD", chr(code).upper())[0]
    for code in range(0xC0, 0x180)
    if unicodedata.normalize("NFD", chr(code).upper())[0].isascii()
}


def in_capitals(line: str) -> str:
    """The line in capitals without accents, letter by letter: every place stays where it is."""
    plain = line.translate(_BARE)
    capitals = plain.upper()
    if len(capitals) == len(plain):
        return capitals
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in plain)


def read_words(line: str) -> frozenset[str]:
    """The words of a line in capitals, label words put right: "T0TAI:" gives TOTAL."""
    capitals = in_capitals(line)
    if _SPACED.search(capitals):
        capitals = _SPACED.sub(lambda match: match.group().replace(" ", ""), capitals)
    return _read_all(capitals) if len(capitals) < 200 else _words(capitals)


def _words(capitals: str) -> frozenset[str]:
    found: set[str] = set()
    before = ""
    for word in _WORD.findall(capitals):
        found.update(_read_word(word))
        if before + word in _TORN:
            found.add(before + word)
        before = word
    return frozenset(found)


_read_all = lru_cache(maxsize=8192)(_words)


@lru_cache(maxsize=8192)
def _read_word(word: str) -> tuple[str, ...]:
    plain = word.replace("-", "").replace("'", "")
    if plain.isdigit():
        return (plain,)
    plain = plain.translate(_AS_LETTER) if any(letter.isalpha() for letter in plain) else plain
    if plain in _SAME or plain in _KNOWN or not 5 <= len(plain) <= 24:
        return (_SAME.get(plain, plain),)
    near = next((known for known in sorted(_KNOWN) if is_one_edit_away(plain, known)), None)
    if near:
        return (_SAME.get(near, near),)
    first = next((first for first in _FIRST if plain.startswith(first) and plain != "CASHIER"), None)
    if first is None:
        return (plain,)
    rest = plain[len(first) :]
    return (first, _SAME.get(rest, rest))


def is_one_edit_away(word: str, known: str) -> bool:
    """Whether one letter put in, left out or changed makes the one of the other."""
    if abs(len(word) - len(known)) > 1:
        return False
    same = 0
    while same < min(len(word), len(known)) and word[same] == known[same]:
        same += 1
    if len(word) == len(known):
        return word[same + 1 :] == known[same + 1 :]
    long, short = (word, known) if len(word) > len(known) else (known, word)
    return long[same + 1 :] == short[same:]
