"""The words of our languages for money, orders and times, some of them in the Latin letters people type instead."""

from __future__ import annotations

from collections.abc import Mapping

MINUTES, HOURS, DAYS, WEEKS, MONTHS = "min", "h", "days", "weeks", "months"

CURRENCIES: Mapping[str, tuple[str, ...]] = {
    "EUR": ("eur", "euro", "euros", "euroya", "euroluk", "ευρώ", "evra", "evro", "eura", "یورو", "avro", "evrw"),
    "USD": ("usd", "dollar", "dollars", "dolar", "dolares", "dólar", "dolara", "bucks", "δολάρια", "دلار"),
    "GBP": ("gbp", "pound", "pounds", "quid", "libras", "funti", "pfund", "sterlin", "λίρες", "پوند"),
    "TRY": ("tl", "try", "lira", "liraya", "liralık", "liranın", "liram", "lirayı", "türk lirası"),
    "RSD": ("rsd", "din", "dinar", "dinara", "dinare", "dinari"),
    "toman": ("تومان", "تومن", "تومنی", "toman", "tuman", "tomane"),
    "IRR": ("ریال", "rial"),
    "CHF": ("chf", "franken", "sfr"),
}

TIMES = {
    **dict.fromkeys(("thousand", "bin", "mil", "tausend", "hiljada", "hiljade", "hiljadu", "χιλιάδες", "χίλια"), 1000),
    **dict.fromkeys(("هزار", "hezar"), 1000),
    **dict.fromkeys(("million", "milyon", "millones", "miliona", "میلیون", "εκατομμύρια", "millionen"), 1_000_000),
}

ORDERS = (
    *(
        "order",
        "booking",
        "reservation",
        "invoice",
        "receipt",
        "reference",
        "ref",
        "tracking",
        "ticket",
        "confirmation",
    ),
    *("sipariş", "siparis", "rezervasyon", "fatura", "takip", "kargo", "fiş", "παραγγελία", "κράτηση", "τιμολόγιο"),
    *("απόδειξη", "paraggelia", "kratisi", "سفارش", "رزرو", "فاکتور", "پیگیری", "رسید", "sefaresh", "porudžbin"),
    *("narudžb", "narudzbenic", "rezervacij", "račun", "pošiljk", "pedido", "reserva", "factura", "orden", "albarán"),
    *("bestell", "auftrag", "buchung", "rechnung", "reservierung", "sendung"),
)

FILLERS = (
    *("no", "nr", "num", "number", "nummer", "numarası", "numaram", "numara", "numero", "número", "n", "id", "code"),
    *("kodu", "código", "is", "was", "ist", "lautet", "es", "the", "my", "with", "mit", "der", "con", "el", "de", "je"),
    *(
        "broj",
        "brojem",
        "pod",
        "αριθμός",
        "αριθμό",
        "με",
        "νούμερο",
        "είναι",
        "arithmos",
        "شماره",
        "shomare",
        "به",
        "کد",
    ),
)

UNITS: Mapping[str, tuple[str, ...]] = {
    MINUTES: (
        *(
            "min",
            "mins",
            "minute",
            "minutes",
            "dk",
            "dakika",
            "dakikadır",
            "dakikadan",
            "λεπτά",
            "λεπτό",
            "λεπτών",
            "lepta",
        ),
        *(
            "دقیقه",
            "دیقه",
            "daghighe",
            "daghighas",
            "minut",
            "minuta",
            "minute",
            "minuti",
            "minuto",
            "minutos",
            "minuten",
        ),
    ),
    HOURS: (
        *(
            "h",
            "hr",
            "hrs",
            "hour",
            "hours",
            "saat",
            "saattir",
            "saatten",
            "saati",
            "ώρα",
            "ώρες",
            "ωρών",
            "ora",
            "ores",
        ),
        *("ساعت", "ساعته", "saat", "sat", "sata", "sati", "časova", "h", "hora", "horas", "std", "stunde", "stunden"),
    ),
    DAYS: (
        *("day", "days", "gün", "gündür", "günden", "günde", "μέρα", "μέρες", "ημέρες", "ημέρα", "meres", "mera"),
        *("روز", "روزه", "ruz", "rooz", "dan", "dana", "día", "días", "tag", "tage", "tagen"),
    ),
    WEEKS: (
        *(
            "week",
            "weeks",
            "hafta",
            "haftadır",
            "haftadan",
            "εβδομάδα",
            "εβδομάδες",
            "βδομάδα",
            "βδομάδες",
            "evdomades",
        ),
        *("هفته", "هفته‌ست", "hafte", "nedelja", "nedelje", "nedelju", "nedelja", "sedmica", "semana", "semanas"),
        *("woche", "wochen"),
    ),
    MONTHS: (
        *("month", "months", "aydır", "μήνα", "μήνες", "ماه", "ماهه", "mesec", "meseca", "meseci", "mes", "meses"),
        *("monat", "monate", "monaten"),
    ),
}

COUNTS: Mapping[str, tuple[str, ...]] = {
    "1": (
        "a",
        "an",
        "one",
        "bir",
        "bi",
        "ένα",
        "μία",
        "μια",
        "ένας",
        "έναν",
        "mia",
        "ena",
        "یک",
        "یه",
        "ye",
        "yek",
        "jedan",
        "jednu",
        "jedna",
        "un",
        "una",
        "ein",
        "eine",
        "einen",
        "einer",
        "ne",
    ),
    "2": ("two", "couple of", "iki", "δύο", "δυο", "dio", "dyo", "دو", "do", "dva", "dve", "dos", "zwei"),
    "3": ("three", "üç", "τρία", "τρεις", "tria", "treis", "سه", "se", "tri", "tres", "drei"),
    "4": ("four", "dört", "τέσσερα", "τέσσερις", "چهار", "četiri", "cuatro", "vier"),
    "5": ("five", "beş", "πέντε", "pente", "پنج", "panj", "pet", "cinco", "fünf", "fuenf"),
    "6": ("six", "altı", "έξι", "شش", "šest", "seis", "sechs"),
    "7": ("seven", "yedi", "επτά", "εφτά", "هفت", "sedam", "siete", "sieben"),
    "8": ("eight", "sekiz", "οκτώ", "οχτώ", "هشت", "osam", "ocho", "acht"),
    "10": ("ten", "on", "δέκα", "deka", "ده", "dah", "deset", "diez", "zehn"),
    "15": ("fifteen", "on beş", "δεκαπέντε", "پانزده", "پونزده", "petnaest", "quince", "fünfzehn"),
    "20": ("twenty", "yirmi", "είκοσι", "eikosi", "بیست", "bist", "dvadeset", "veinte", "zwanzig"),
    "30": ("thirty", "otuz", "τριάντα", "trianta", "سی", "trideset", "treinta", "dreißig", "dreissig"),
    "40": ("forty", "kırk", "σαράντα", "saranta", "چهل", "chehel", "četrdeset", "cuarenta", "vierzig"),
    "45": (
        "forty-five",
        "forty five",
        "kırk beş",
        "σαράντα πέντε",
        "چهل و پنج",
        "četrdeset pet",
        "cuarenta y cinco",
        "fünfundvierzig",
    ),
    "50": ("fifty", "elli", "πενήντα", "پنجاه", "pedeset", "cincuenta", "fünfzig"),
    "60": ("sixty", "altmış", "εξήντα", "شصت", "šezdeset", "sesenta", "sechzig"),
    "90": ("ninety", "doksan", "ενενήντα", "نود", "devedeset", "noventa", "neunzig"),
}

PHRASES: Mapping[str, tuple[str, ...]] = {
    "30 min": (
        *(
            "half an hour",
            "half hour",
            "a half hour",
            "yarım saat",
            "yarım saattir",
            "yarim saatten",
            "μισή ώρα",
            "misi ora",
        ),
        *("نیم ساعت", "نیم‌ساعت", "nim saat", "pola sata", "po sata", "media hora", "halbe stunde", "halben stunde"),
    ),
    "15 min": (
        "quarter of an hour",
        "çeyrek saat",
        "ένα τέταρτο",
        "یک ربع",
        "یه ربع",
        "četvrt sata",
        "cuarto de hora",
        "viertelstunde",
    ),
    "45 min": (
        "three quarters of an hour",
        "τρία τέταρτα",
        "سه ربع",
        "tri četvrt sata",
        "tres cuartos de hora",
        "dreiviertelstunde",
    ),
    "90 min": (
        *(
            "an hour and a half",
            "one and a half hours",
            "hour and a half",
            "bir buçuk saat",
            "birbuçuk saat",
            "μιάμιση ώρα",
        ),
        *("μία ώρα και μισή", "miamisi ora", "یک ساعت و نیم", "یه ساعت و نیم", "saat i po", "sat i po", "sat ipo"),
        *("sat i trideset", "hora y media", "una hora y media", "anderthalb stunden", "eineinhalb stunden"),
    ),
    "1 h": ("sat vremena", "ωρίτσα", "an hour", "one hour"),
}

AND_A_HALF = ("and a half", "buçuk", "و نیم", "και μισή", "i po", "y media", "einhalb")
