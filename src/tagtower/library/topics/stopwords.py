"""Words that make no topic: those that bind sentences together, in some languages, and those of newsrooms.

Only a help: in a language that is not here, a frequent word is no topic because it is as frequent as ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tagtower.ranking.words import words

_EN = """
a about above after again against all also am among an and any are around as at back be because been before being
below between both but by can cannot come could day days did do does doing down during each even ever every few first
for from further get gets getting go goes going gonna got had has have having he her here hers him his how i if in
into is it its itself just last let like made make makes making many may me might more most much must my near never new
next no nor not now of off on once one only or other our out over own per put same say says said see set she should
since so some still such than that the their them then there these they this those three through time to today too
tonight top two under until up us very via want was way we week were what when where which while who whom whose why
will with without would year years yet you your don't doesn't isn't it's can't won't i'm you're we're that's here's
"""
_DE = """
ab aber alle als am an auch auf aus bei beim bis da damit dann das dass dem den denn der des dich die dies diese dieser
doch dort du durch ein eine einem einen einer eines er es etwas euch für gegen gibt hat hatte haben hier ich ihm ihn ihr
ihre im immer in ins ist ja jetzt kann kein keine können man mehr mein mit muss nach nicht nichts noch nun nur ob oder
ohne schon sehr sein seine seit sich sie sind so soll über um und uns unter vom von vor war waren warum was wegen weil
wenn wer werden wie wieder will wir wird wurde zu zum zur zwei zwischen neu neue neuen heute jahr jahre uhr
"""
_FR = """
à au aux avec ce ces cette ceux chez comme contre dans de des du elle elles en encore entre est et être eu fait il ils
je jusqu la le les leur leurs lors lui mais même mes moi mon ne nos notre nous on ont ou où par pas pendant peut plus
pour pourquoi qu que quel quelle qui sa sans se ses si son sont sous sur ta te tes toi ton tous tout toute très tu un
une vers vos votre vous y après avant deux ans jour nouveau nouvelle aujourd'hui
"""
_ES = """
a al algo ante antes así aún año años como con contra cual cuando de del desde donde dos durante e el ella ellos en
entre era es esa ese esta estas este esto están está fue ha hace han hasta hay la las le les lo los más me mi muy nada
ni no nos o otra otro para pero poco por porque qué que quien se ser será si sin sobre son su sus también tan te tiene
todo todos tras tu un una unas uno unos y ya yo hoy nuevo nueva día días
"""
_IT = """
a ad ai al alla alle anche ancora anni anno c'è che chi ci come con contro cosa da dal dalla dalle dei del della delle
di dopo due e è ed era fa fra gli ha hanno i il in io la le lo loro ma mi mio nei nel nella nelle noi non o oggi ogni
per perché più poi prima quando questa questo qui sarà se senza si solo sono sta su sua sue sui sul sulla suo tra tutti
tutto un una uno vi nuovo nuova
"""
_PT = """
a ao aos após as até com como contra da das de dele depois do dos e é ela ele eles em entre era essa esse esta este está
eu foi há isso já lhe mais mas me mesmo meu muito na não nas nem no nos nós o os ou para pela pelo pelos por porque
quando que quem se sem ser será seu seus só sobre sua suas também tem ter um uma vai você ano anos dia dois hoje novo
nova
"""
_NL = """
aan al alle als bij dan dat de der deze die dit door een eens en er ge geen had heb hebben heeft hem het hij hoe hun ik
in is ja je kan maar me meer men met mijn na naar niet nog nu of om omdat onder ons ook op over te tegen tot twee u uit
van veel voor waar wat we wel werd wie wij wil worden wordt zal ze zich zij zijn zo zonder zou jaar vandaag nieuwe
"""

_NEWSROOM = """
breaking exclusive live news update updates video videos watch photo photos podcast opinion interview report reports
review trailer official episode part vs ft feat eilmeldung liveticker direct vidéo vídeo
"""

STOP_WORDS = {
    language: frozenset(listed.split())
    for language, listed in {
        "en": _EN, "de": _DE, "fr": _FR, "es": _ES, "it": _IT, "pt": _PT, "nl": _NL,
    }.items()
}  # fmt: skip
NEWSROOM = frozenset(_NEWSROOM.split())


def guess_language(headlines: Iterable[str], named: str | None = None) -> str | None:
    """Return the language of a feed's headlines as far as there are stop words of it: as named, or as they look."""
    if named is not None:
        first = named.lower().replace("_", "-").partition("-")[0]
        return first if first in STOP_WORDS else None
    seen = Counter(word for headline in headlines for word in words(headline))
    hits = {language: sum(seen[word] for word in listed) for language, listed in STOP_WORDS.items()}
    best = max(hits, key=lambda language: hits[language])
    # Below a word in twenty it is none of these languages, in which it is one in four.
    return best if hits[best] * 20 >= seen.total() > 0 else None


def stop_words(language: str | None) -> frozenset[str]:
    """Return the words that make no topic in a language, of no known language those of newsrooms alone."""
    return NEWSROOM | STOP_WORDS.get(language or "", frozenset())
