"""Texts that servers often handle wrongly, each with the reason.

Every layer draws from this catalogue: the probes of bounds, the checks of texts, the random
steps, and the requests that schemathesis makes up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote


@dataclass(frozen=True)
class HardText:
    """A class of texts, as one text."""

    name: str
    """The name of the class, for reports."""
    value: str
    reason: str
    """The common mistakes with it."""


HARD_TEXTS: tuple[HardText, ...] = (
    # Normal forms
    HardText(
        "composed letters",
        "\u00e9 \u00c5 \u00f1 \u1e69 \ud55c",
        "a file system or a library decomposes them (NFD)",
    ),
    HardText(
        "decomposed letters",
        "e\u0301 A\u030a n\u0303 s\u0323\u0307 s\u0307\u0323 \u1112\u1161\u11ab",
        "a database or a library composes them (NFC), or sorts their marks",
    ),
    HardText(
        "letters with an equivalent",
        "\u212b \u2126 \u212a \u0958 \u0344 \uf900 \U0002f800 \u037e a\u2000b",
        "every normal form replaces them",
    ),
    HardText(
        "compatibility characters",
        "\ufb01 \uff21\uff11 \uff76\uff9e \u00bd \u00b2 \u2163 \u338f \ufdfa \u210c \u2460",
        "NFKC and NFKD replace them by plain letters",
    ),
    HardText(
        "letters with an odd case",
        "\u0130\u0131 \u017f \u00df\u1e9e \u03a3\u03c3\u03c2 \u01c6\u01c5 \u00c9 aBcD",
        "they change in lower, upper or folded case, some of them their length",
    ),
    HardText(
        "other scripts",
        "日本語 עברית العربية हिन्दी ไทย ქართული ελληνικά кириллица",
        "an encoding of one byte loses them",
    ),
    HardText(
        "letters of Latin-1",
        "Grüße, Übergröße? Ã¼ â\u20ac\u2122 ÿ ¿ £ \u00d7",
        "a second encoding or a repair of the first one changes them",
    ),
    HardText(
        "typographic characters",
        "“x” \u2018y\u2019 «z» \u2013 — … • ™ © ° · \u20ac ‰ \u2212 \u00ab",
        "Windows-1252 has other bytes for them, and libraries replace them by ASCII",
    ),
    HardText(
        "plain punctuation",
        "\"x\" 'y' -- --- ... (c) (tm) 1/2 2x3 -> => <= != a:b",
        "typographic filters replace it",
    ),
    # Line ends
    HardText("line feeds", "a\nb\n\nc\n\n\nd", "fields of one line drop them, others merge them"),
    HardText(
        "carriage returns with line feeds",
        "a\r\nb\r\n\r\nc",
        "text modes, XML and Git convert them to line feeds",
    ),
    HardText("carriage returns", "a\rb\r\rc\n\rd", "converters of line ends take them for one"),
    HardText(
        "Unicode line ends",
        "a\u2028b\u2029c",
        "they end a line in old JavaScript, and in readers of event streams that split lines",
    ),
    HardText("spaces before line ends", "a  \nb\t\n c\n\td", "editors and Markdown remove them"),
    # White space
    HardText("tabs", "a\tb\t\tc", "they become spaces"),
    HardText("repeated spaces", "a  b   c    d", "HTML and `split` merge them"),
    HardText("no-break spaces", "a\u00a0b\u202fc\u2007d", "they become plain spaces"),
    HardText(
        "wide spaces",
        "a\u3000b\u2003c\u2009d\u200ae\u1680f\u205fg",
        "they become plain spaces, or count as the end of a word",
    ),
    # Characters without a width
    HardText(
        "zero-width characters",
        "a\u200bb\u200cc\u200dd\u2060e\ufefff\u180eg",
        "filters remove them, and a byte order mark is taken for one inside of a text, too",
    ),
    HardText("soft hyphens", "co\u00adoperate a\u034fb", "filters of invisible characters"),
    HardText(
        "directional marks",
        "a\u200eb\u200fc\u061cd \u202ae\u202c \u202bf\u202c \u202dg\u202c \u202eh\u202c"
        " \u2066i\u2069 \u2067j\u2069 \u2068k\u2069",
        "filters against spoofing remove them",
    ),
    HardText(
        "variation selectors",
        "\u2764\ufe0f \u2764\ufe0e \u845b\U000e0100 #\ufe0f\u20e3",
        "filters of invisible characters, and tables of emoji",
    ),
    HardText(
        "private and special characters",
        "\ue000 \U000f0000 \U00100000 \ufffc \ufffd \ufff9a\ufffab\ufffb",
        "replaced as if they were faults of an encoding",
    ),
    # Beyond the basic plane
    HardText(
        "characters beyond the basic plane",
        "\U0001d4b3\U00020000\U0001f389x\U0001f600",
        "three bytes are too few for them, and halves of them are not text",
    ),
    HardText(
        "emoji of several characters",
        "👩‍👩‍👧‍👦 🇨🇭 👋🏽 1️⃣ 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 🏳️‍🌈",
        "cut between their characters, or shown as a short code",
    ),
    HardText(
        "many marks on a letter",
        "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319",
        "filters limit the marks of a letter",
    ),
    # Escapes
    HardText("quotes", "' \" ` \u00b4 '' \"\" ''' \"\"\" \\' \\\"", "doubled, escaped, or an end"),
    HardText(
        "backslashes",
        r"\ \\ \n \t \r \" \' \/ \0 \x41 \u0041 \u{41} \101 \ud83d C:\temp\new \\server\x",
        "read as escapes once more, or doubled",
    ),
    HardText(
        "percent signs",
        "100% %20 %41 %2541 %u0041 %zz % 5 %s %d %n %00 %e4 %f0%9f",
        "decoded once more, or taken for a format",
    ),
    HardText("signs of a query", "a+b a&b=c;d?e#f/g @h :i ,j $k", "decoded as parts of a form"),
    HardText(
        "HTML entities",
        "&amp; &lt;b&gt; &#65; &#x41; &nbsp; &copy &quot;x&apos; &amp;amp;",
        "decoded, or escaped once more",
    ),
    HardText(
        "HTML tags",
        "<b>x</b> <br> <br/> a < b > c <i>d <script>alert('x')</script> <img src=x onerror=y>"
        " <!-- z --> <x@y> </p>",
        "removed or escaped against injection",
    ),
    HardText("XML", "<![CDATA[x]]> <?xml y?> <!DOCTYPE z> ]]>", "ends a section of XML"),
    HardText(
        "placeholders",
        "{x} {0} {{x}} {{ 7 * 7 }} ${x} $x $1 $& #{x} <%= x %> {% x %} %{x} %(x)s :x [[x]] __x__",
        "filled in by a template, a format, a translation or a regular expression",
    ),
    HardText(
        "SQL",
        "'; DROP TABLE x; -- ' OR '1'='1' /* x */ % _ LIKE '\\%' ?? $$x$$ ? \\g<0>",
        "taken for a part of a statement",
    ),
    HardText("commands", "$(x) `x` | & ; > < * ~ ! x && y || z /close =1+1 @SUM", "executed"),
    HardText("JSON", '{"a": "b", "c": [null, true, 1.0]} "\\u00e9" [] {}', "parsed once more"),
    HardText("paths", "../../x //y C:\\z file:///etc/x ./a/../b", "reduced as a path"),
    HardText(
        "Markdown",
        "# a\n- b\n1. c\n> d\n**e** _f_ `g` ~~h~~ [i](j) ![k](l)\n"
        "| m | n |\n---\n```\no\n```\n    p",
        "rendered, or its characters escaped",
    ),
    HardText(
        "links",
        "https://x.example/a?b=c&d=%20#e http://x.example:80/. www.x.example x@y.example #tag",
        "shortened, normalized or made into a link",
    ),
    HardText(
        "personal data",
        "jane.doe@x.example +1 555 010 9999 4111 1111 1111 1111 123-45-6789 192.0.2.1",
        "masked by filters",
    ),
    HardText("words of filters", "damn Scunthorpe classic", "masked by filters"),
    HardText("emoticons", ":-) ;) <3 :smile: :+1: (y) ^^ \\o/", "replaced by emoji"),
    HardText(
        "words with a type",
        "null undefined None NaN Infinity true false 0 -0 007 1e3 1,000.50 0x1F 2024-01-15 12:30",
        "converted to a value of the type",
    ),
    # Separators
    HardText(
        "lines of an event stream",
        "x\ndata: y\n\nevent: z\nid: 1\nretry: 0\n: c\ndata: [DONE]\n\n[DONE]",
        "end the event, or the stream, that contains them",
    ),
    HardText(
        "lines of other formats",
        '0:"x"\nd:{"y":"z"}\n--boundary--\r\n0\r\n\r\n\n.\r\nFrom x\n===\n',
        "end a part, a chunk or a mail",
    ),
    HardText(
        "markers of language models",
        "<|im_start|>user\nx<|im_end|> <|endoftext|> <s>[INST] y [/INST]</s> <think>z</think>"
        " Human: x\n\nAssistant:",
        "taken for the roles of messages, or removed",
    ),
    HardText("repeated characters", f"{'a' * 12} {'!' * 9} {'.' * 9}", "shortened as spam"),
    HardText("a long word", "W" * 90, "broken into lines"),
)
"""Texts that every server must accept and keep."""

REFUSABLE: tuple[HardText, ...] = (
    HardText("NUL", "a\x00b", "ends a text in C; PostgreSQL refuses it"),
    HardText(
        "control characters",
        "a\x01b\x02c\x07d\x08e\x0bf\x0cg\x0eh\x1b[31mi\x1cj\x1fk",
        "XML refuses them, and filters remove them",
    ),
    HardText(
        "control characters beyond ASCII",
        "a\x7fb\x80c\x85d\x92e\x9ff",
        "taken for Windows-1252, or for the end of a line",
    ),
    HardText(
        "noncharacters",
        "a\ufdd0b\ufffec\uffffd\U0001ffffe\U0010fffff",
        "XML and I-JSON refuse them",
    ),
    HardText(
        "halves of characters",
        "a\ud83db\ude00c\ude00\ud83dd",
        "no encoding has them, so that they fail where a text is written",
    ),
)
"""Texts that a server may refuse (docs/evidence.md, O-20), each in a request of its own."""

OUTER = HardText(
    "white space around a text",
    " \t\n\u00a0\u3000x\u3000\u00a0\n\t ",
    "removed, which a server may do",
)
WHOLE_WORDS: tuple[HardText, ...] = tuple(
    HardText(f"the text {word}", word, "taken for no text, for another type, or for a URL")
    for word in ("0", "HTTPS://Shop.example:443/a/../b c?d=%7e&d=\u00fc#F", "null", "[]", "false")
)
"""Texts that a server takes for something else if they are all of a value."""

ASTRAL = "\U0001f389"
"""A character of two UTF-16 units and four bytes of UTF-8."""


def filled(length: int, *, astral_first: bool = True, plain: str = "x") -> str:
    """Return a text of ``length`` characters, half of which are beyond the basic plane.

    It has more UTF-16 units and more bytes than characters. Its halves change places unless
    ``astral_first``, so that a limit in UTF-16 units cuts one of the two texts in a character.
    The other half repeats ``plain``.
    """
    others = length - length // 2
    astral, plain = ASTRAL * (length // 2), (plain * others)[:others]
    return astral + plain if astral_first else plain + astral


ESCAPED = '<"&\\'
"""Characters that are longer when they are escaped, for a text at a bound."""


@dataclass(frozen=True)
class Packed:
    """Several texts joined to one, each with its number before it."""

    texts: tuple[HardText, ...]

    @property
    def value(self) -> str:
        """The text to send. No text of it is at the beginning or at the end."""
        numbered = (f"({number}){text.value}" for number, text in enumerate(self.texts, 1))
        return f"{''.join(numbered)}({len(self.texts) + 1})"

    def changed(self, shown: str) -> Iterator[tuple[HardText, str | None]]:
        """Yield each text that differs in ``shown``, and its replacement; None if it is lost."""
        places, end = [], 0
        for number in range(1, len(self.texts) + 2):
            begin = shown.find(f"({number})", end)
            places.append((begin, begin + len(f"({number})")))
            end = places[-1][1] if begin >= 0 else end
        for text, ((begin, after), (following, _)) in zip(
            self.texts, pairwise(places), strict=True
        ):
            if begin < 0:
                yield text, None
            elif shown[after : following if following >= 0 else None] != text.value:
                yield text, shown[after : following if following >= 0 else None]


WHOLE_URI = "https://shop.example:8443/help/a%20b;c=d?topic=x&empty=&y=%C3%BC#costs"
"""A URI with a port, escapes, a query and a fragment."""
LONGEST_QUERY = 3000
"""Maximum length of a text in a query, percent-encoded: some servers take no long URLs."""


def packs_for(most: int | None, *, in_query: bool) -> list[Packed]:
    """Join all texts for a field of at most ``most`` characters, or for a query parameter."""
    if not in_query:
        return packs(HARD_TEXTS, most)
    longest = most or LONGEST_QUERY

    def size(text: str) -> int:
        encoded = len(quote(text, safe="")) * longest // LONGEST_QUERY
        return max(len(text), encoded)

    return packs(HARD_TEXTS, longest, size)


def packs(
    texts: Iterable[HardText], most: int | None = None, size: Callable[[str], int] = len
) -> list[Packed]:
    """Join texts to as few as possible of at most ``most`` by ``size``.

    A text that is too long by itself is left out.
    """
    found: list[Packed] = []
    pending: Sequence[HardText] = ()
    for text in texts:
        longer = Packed((*pending, text))
        if most is None or size(longer.value) <= most:
            pending = longer.texts
            continue
        found += [Packed(tuple(pending))] if pending else []
        pending = (text,) if size(Packed((text,)).value) <= most else ()
    return [*found, Packed(tuple(pending))] if pending else found
