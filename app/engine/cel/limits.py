"""Every bound of the expression language, each with its reason. None of them is a clock: the same rule on
the same data ends the same way on every machine. What is counted here is charged in the other modules of
this package.
"""

from __future__ import annotations

TEXT_CHARS_MAX = 8_192
"""The text of one expression. Real rules stay below 1,000; what is longer should be two rules."""

TOKENS_MAX = 4_000
"""Tokens of one expression, so that lexing and parsing stay within a few milliseconds."""

NODES_MAX = 2_000
"""Nodes of the syntax tree. Every later pass (check, generate, explain) is linear in them."""

NESTING_MAX = 40
"""Parentheses, lists, maps, arguments and conditionals inside each other. The parser and Python's own
compiler recurse on nesting; 40 levels keep both far from their stack limits, and no one reads a rule that
deep.
"""

HEIGHT_MAX = 120
"""Levels of the syntax tree, whatever they come from (nesting, chains, selections): what recursion over the
tree and the nested code that is generated from it must bear.
"""

CHAIN_MAX = 100
"""Operators of one precedence in a row (`a + b + …`), unary operators, and selections (`a.b.c…`). These
nest to the left in the tree. `&&` and `||` are kept flat and are bounded by the node count alone.
"""

STEPS_MAX = 100_000
"""The work of one evaluation. A step is about one node of the tree, run once (20 to 200 ns). A loop is
charged before it runs (elements × nodes of its body), functions over strings and lists by their size.
100,000 steps are some 15 ms; a loop over 1,000 items with a body of 30 nodes uses 30,000.
"""

STRING_CHARS_MAX = 65_536
"""The longest string an expression may build: as large as a whole event payload may be."""

LIST_ITEMS_MAX = 10_000
"""The longest list that concatenation or `split` may build."""

REGEX_CHARS_MAX = 500
"""The longest regular expression. Compiling is linear in it, but Unicode classes cost up to 100 µs each."""

REGEX_MEMORY_BYTES_MAX = 1 << 20
"""What RE2 may use for one pattern: refuses patterns such as `(a{1000}){1000}` when they are compiled."""

DIGITS_MAX = 34
"""Significant digits of a decimal result, those of IEEE 754 decimal128: 20 integer digits of an amount and
its 18 decimals nearly fit, and a product of two amounts loses nothing that could reach a cent.
"""

EXPONENT_MAX = 6_144
"""The largest decimal exponent, that of decimal128. Beyond it is an overflow error; there is no infinity."""

PRINTED_DIGITS_MAX = 120
"""How many digits `string()` prints: numbers in data are below 1e100, so nothing sensible is refused."""

DURATION_CHARS_MAX = 64
"""The longest text `duration()` reads; a duration with every unit and nine decimals has 40."""

ROUND_DIGITS_MAX = 30
"""`round(x, n)` accepts n from −30 to 30; assets have at most 18 decimals."""

TEMPLATE_PARTS_MAX = 50
"""`{{ … }}` parts of one text: descriptions and identifiers are short."""

MESSAGE_CHARS_MAX = 120
"""How much rule text an error message quotes."""
