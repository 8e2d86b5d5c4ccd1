/*
 * lexicon.c
 *	  The words that the builtin provider knows, and how a text is cut into words to look for them.
 *
 * The phrases stand in groups by meaning, because that is how a person checks and extends them; the index that finds
 * them costs a few microseconds a ticket.  Cutting and matching are linear in the text: a word has a bounded number
 * of terms to be compared with, whatever the text.  Knows nothing of tickets, thresholds or replies.
 *
 * Weights: a problem that stops one person is worth about 3, one that stops everybody about 6, a question about -2;
 * builtin.c has the thresholds.  Moods are steps of the ten-point scale.
 */
#include "core/lexicon.h"

#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

/* no term has a longer word, so a longer one need not be looked up */
#define WORD_MAX 24
/* small words are looked for in this many words */
#define LANGUAGE_SAMPLE 200

static const TermGroup groups[] =
{
	/* kind, urgency, negated, mood, negated */

	/* stopped for everybody */
	{TERM_PROBLEM, 6, -1, 1, 0,
		"outage*|site is down|website is down|server is down|system is down|servers are down|systems are down|"
		"service is down|everything is down|platform is down|site down|website down|server down|system down|"
		"all down|down for everyone|down for everybody|down for all|gone down|went down|completely down|totally down|"
		"entirely down|offline for all|complete standstill|at a standstill|total failure|"
		"nobody can|no one can|noone can|none of us can|nobody is able|no one is able|none of our * can|"
		"stopped production|production stopped|production is stopped|cannot operate|cant operate|unable to operate"},
	/* break-ins and leaks */
	{TERM_PROBLEM, 6, -1, 1, 0,
		"hacked|hacker*|breach*|data leak*|leaked|ransomware|malware|phishing|unauthorized|unauthorised|stolen|"
		"compromised|security hole|security incident*|security issue*|security vulnerability|vulnerability|"
		"vulnerabilities|identity theft|fraudulent|fraud|somebody else logged|someone else logged|taken over|"
		"someone accessed|somebody accessed|sees other customers|see other customers|see other peoples|"
		"see another customers|other users data|other customers data|personal data exposed|publicly visible|"
		"exposed to everyone|i did not authorize|i didnt authorize|i did not authorise|not made by me|"
		"did not make this|suspicious login*|suspicious activity|leaking customer*"},
	/* loss of data */
	{TERM_PROBLEM, 6, -1, 1, 0,
		"data loss|lost data|lost all|lost everything|losing data|deleted all|deleted everything|"
		"all our data|all my data|all my files|all our files|wiped|erased|corrupted|data is gone|files are gone|"
		"everything is gone|everything disappeared|have vanished|all * are gone|all * have disappeared|all * is gone"},
	/* money running out */
	{TERM_PROBLEM, 6, -1, 1.5f, 0,
		"losing money|lose money|losing sales|losing orders|losing customers|losing revenue|losing business|"
		"lost sales|lost revenue|lost orders|costing us|costs us|cost us thousands|every minute costs|every hour costs|"
		"cannot take payments|cant take payments|cannot accept payments|cannot process payments|"
		"cant process payments|cant process orders|cannot process orders|payroll|"
		"customers cannot|customers cant|customers can not|customers are unable|clients cannot|clients cant|"
		"customers cannot pay|account was emptied|emptied my account|drained"},
	/* people in danger */
	{TERM_PROBLEM, 6, -1, 1.5f, 0,
		"caught fire|on fire|smoke|smoking|sparks|burning smell|burnt|electric shock*|got shocked|gas leak|injured|"
		"injury|bleeding|hospital|ambulance|patient safety|patients are|life threatening|unsafe|danger|dangerous|"
		"hazard*|explode*|exploded|swollen battery|battery is swelling|overheats|overheating|child is locked"},
	/* one person is stopped */
	{TERM_PROBLEM, 3, -1, 0.5f, 0,
		"locked out|locked me out|blocked from|cannot work|cant work|unable to work|cannot do my job|"
		"account is locked|account locked|account suspended|account was suspended|account is suspended|"
		"suspended my|deactivated|disabled my|blocking us|blocking me|blocks us|blocks me|we are blocked|"
		"i am blocked|im blocked|blocker|work has stopped|stopped working|stops working|quit working|"
		"not responding|unresponsive|no longer responds|wont start|will not start|does not start|doesnt start|"
		"wont turn on|does not turn on|doesnt turn on|wont boot|is dead|no internet|no connection|no power|"
		"no sound|deadlock*|bricked"},
	{TERM_PROBLEM, 2.5f, -1, 0.5f, 0, "is down|are down|been down|was down|down since|down again|keeps going down|offline|unreachable|unusable"},
	{TERM_PROBLEM, 1.5f, -1, 0.5f, 0, "down"},
	{TERM_EASE, 0, 0, 0, 0, "scroll down|drop down|dropdown|further down|write down|slow down|up and down|break down of|breakdown of|upside down|down the road|narrow down|count down|countdown"},
	/* a fault somebody can work around */
	{TERM_PROBLEM, 2, -0.5f, 0.5f, 0,
		"crash*|broken|broke|freezes|froze|frozen|hangs|hung|fails|failed|failing|failure*|corrupt|"
		"data missing|not loading|blank page|blank screen|white screen|black screen|blue screen|"
		"timed out|times out|timeout*|time out|error #|server error|internal error|fatal|exception|rejected|denied|"
		"keeps logging me out|kicked out|logs me out|missing"},
	{TERM_PROBLEM, 1.2f, -0.5f, 0.5f, 0,
		"error*|bug|bugs|buggy|glitch*|issue*|problem*|trouble|fault*|faulty|defect*|defective|wrong|incorrect|"
		"incorrectly|duplicate*|mistake*|damaged|malfunction*|slow|slowly|sluggish|lag|laggy|lags|delay*|unstable|"
		"disconnect*|drops|mismatch|disappeared|vanished|stuck|bounced|leak*"},
	/* money wrong, but not running out */
	{TERM_PROBLEM, 2.6f, 0, 1, 0,
		"charged twice|double charge*|double charged|double charging|charged me twice|charged again|overcharge*|"
		"overcharged|billed twice|double billed|charged # times|billed # times|two charges|twice for|wrong amount|"
		"wrongly charged|incorrectly charged|charged too much|charged after|charged even though|still being charged|"
		"still charged|still charging|keep charging|keeps charging|unknown charge|unexpected charge*|"
		"did not recognize|do not recognize|dont recognize|do not recognise|"
		"never arrived|never received|not received|havent received|have not received|didnt receive|did not receive|"
		"refund has not|refund never|where is my refund|where is my money|want my money|my money back"},
	{TERM_PROBLEM, 1, 0, 0.5f, 0, "refund*|chargeback|dispute*|overdue|payment failed|declined|double"},
	/* right when affirmed, a fault when negated */
	{TERM_PROBLEM, 0, 3, 0, 0.5f,
		"log in|login|log on|logon|sign in|signin|log into|logged in|logging in|access|access my|get in|get into|"
		"connect|reach|use it|use the system|use my|use your|start|boot|turn on|power on|make calls|"
		"receive calls|take orders|place orders|check out|checkout"},
	{TERM_PROBLEM, 0, 2, 0, 0.5f,
		"work|works|worked|working|load*|open*|respond*|sync|syncs|syncing|save*|saving|send*|sent|"
		"receive*|receiving|print*|upload*|download*|update*|updating|install*|export*|import*|display*|show*|"
		"appear*|arrive*|arrived|arriving|function*|function properly|submit*|complete|completing|pay|"
		"finish*|play|playing|render*|get any|see any|find my|find our|see my|see our|correct|possible to|reset|"
		"generate|print anything|refunded|credited|delivered|call|search|edit*|delete|cancel|add|create|view|change|click|select|attach"},

	/* hurry */
	{TERM_PRESSURE, 3.5f, -3.5f, 0.5f, -0.5f,
		"urgent|urgently|emergency|top priority|highest priority|high priority|critical|critically|life or death|"
		"immediate attention|immediate action|immediate help|immediate assistance|right this minute|sev #|sev1|p0|p1"},
	{TERM_PRESSURE, 2.2f, -1.5f, 0.5f, 0,
		"asap|a s a p|as soon as possible|immediately|at once|right now|right away|straight away|without delay|"
		"cannot wait|cant wait any|can not wait|time sensitive|time critical|pressing|within the hour|in an hour|"
		"within an hour|in # hours|within # hours|in # minutes|within # minutes|in # hour|within # hour|by noon|by tonight|"
		"before tonight|by end of day|by the end of the day|by eod|eod|by close of business|by tomorrow|by today|"
		"due today|due tomorrow|tomorrow morning|first thing tomorrow|expires today|expires tomorrow|"
		"starts tomorrow|starts today|launch tomorrow|goes live tomorrow|go live today|go live tomorrow|"
		"need it today|need this today|need it now|need this now|need help now|fix this now|fix it now|fix this today"},
	{TERM_PRESSURE, 1.4f, -1, 0.2f, 0,
		"deadline*|by monday|by tuesday|by wednesday|by thursday|by friday|by saturday|by sunday|before monday|"
		"before friday|before the weekend|by the weekend|this afternoon|tonight|due date is|"
		"quickly|soon as you can|very soon|important|prompt|promptly|presentation|audit tomorrow|in # days|"
		"within # days|priority|escalate*|escalating|hurry"},
	{TERM_PRESSURE, 0.8f, 0, 0.2f, 0, "today|tomorrow|this morning|this week|right after|quick"},
	/* it has been going on */
	{TERM_PRESSURE, 1, 0, 0.8f, 0,
		"since yesterday|since last night|since this morning|since monday|since tuesday|since wednesday|"
		"since thursday|since friday|since last week|for hours|for days|for weeks|for months|for # hours|for # days|"
		"for # weeks|for over # days|for the past # days|all day|all morning|for over a week|for a week|for an hour|"
		"over # hours|more than # hours|more than # days|# days ago|# weeks ago|a week ago|weeks ago|still waiting|"
		"been waiting|every time|every day|every few minutes|constantly|keeps happening|keep happening|"
		"again and again|over and over"},
	{TERM_PRESSURE, 0.8f, 0, 1.5f, 0,
		"third time|fourth time|fifth time|second time|# times already|# times now|# time now|yet again|once again|"
		"no reply|no answer|no response|nobody answers|nobody replied|no one replied|nobody responds|no one responds|"
		"no one answers|nobody has|no one has|heard nothing|have not heard|havent heard|never heard back|ignored|"
		"being ignored|keep ignoring|keeps ignoring|left hanging|unanswered|follow up again|still no|still not|"
		"still nothing|still isnt|still doesnt|still cannot|still cant|still broken|still waiting for"},
	/* no hurry */
	{TERM_PRESSURE, -3.5f, 0, -0.8f, 0,
		"no rush|no hurry|no urgency|not in a hurry|not in a rush|whenever you have time|when you have time|"
		"when you get a chance|when you have a moment|whenever convenient|at your convenience|take your time|"
		"no need to hurry|no need to rush|low priority|not a priority|nothing urgent|can wait|"
		"not time sensitive|not pressing|for future reference|in the future|some day|someday|at some point|"
		"no deadline|not critical|not important|just fyi|for your information|fyi|no big deal|not a big deal|not a big problem|"
		"nothing serious|nothing critical|not a blocker|not blocking"},
	{TERM_PRESSURE, -2.2f, 0, -0.3f, 0,
		"minor|cosmetic|trivial|tiny|small typo|typo|typos|misspelled|misspelt|nitpick|just curious|curious|out of curiosity|"
		"just wondering|wondering|small thing|little thing|workaround"},

	/* settled */
	{TERM_EASE, -2.5f, 2, -0.5f, 0.5f,
		"working again|works again|back up|back online|is resolved|been resolved|was resolved|is fixed|been fixed|"
		"was fixed|now fixed|fixed now|resolved now|now resolved|solved itself|resolved itself|sorted itself|"
		"been solved|works now|working now|works fine|working fine|works perfectly|works great|works well|"
		"running smoothly|all good|please ignore|ignore my|disregard|you can close|please close this ticket|"
		"false alarm|my mistake|figured it out|found the answer"},
	/* questions how */
	{TERM_EASE, -2, -2, -0.2f, 0,
		"how do i|how do we|how do you|how can i|how can we|how to|how does|how would i|how should i|how much|how long|how many|"
		"where do i|where can i|where can we|where do we|where is the option|what is the best|what is the difference|"
		"what are your|what is your|which plan|do you offer|do you have|do you support|do you ship|do you accept|do you plan|"
		"are there plans|are there any|is there any way|is there a way|is there an option|is it possible|would it be possible|"
		"can you tell me|could you tell me|can you explain|could you explain|can you clarify|could you clarify|"
		"can you confirm|could you confirm|can you point|could you point|can i use|can i get a copy|"
		"a question about|question about|question regarding|general question|quick question|simple question|"
		"more information|some information|information about|learn more|documentation|tutorial|opening hours|"
		"business hours|office hours|when are you open|interested in|considering|thinking about|thinking of|"
		"planning to|before i buy|before buying|before we buy|quote for"},
	/* wishes */
	{TERM_EASE, -2.5f, -2, -0.3f, 0,
		"feature request*|feature suggestion*|suggestion*|suggest|would be nice|would be great|would be helpful|"
		"would be useful|would be good|would be handy|would be awesome|would be lovely|would be amazing|would love to see|would love|"
		"id love|i wish|we wish|wish there|wish list|wishlist|nice to have|it would help|would like to see|"
		"like to suggest|like to propose|propose|proposal|idea|ideas|could you add|can you add|please add|"
		"please consider|consider adding|any plans|roadmap|enhancement*|improvement*|dark mode|ability to|option to|would appreciate"},
	/* courtesy */
	{TERM_THANKS, -0.6f, 0, -0.6f, 0, "thanks|thank you|thankyou|thx|cheers|much appreciated|appreciate|grateful"},
	{TERM_THANKS, -0.2f, 0, -0.3f, 0, "please|kindly|kind regards|best regards|sincerely|good day|have a nice|dear|best wishes"},
	{TERM_THANKS, -2, 0, -1.5f, 0,
		"thank you so much|thanks so much|many thanks|thanks a lot|just wanted to say|wanted to say thank|"
		"great job|good job|great work|keep up|well done|thanks for the quick|thanks for the fast|thank you for the quick|"
		"thanks for your help|thank you for your help|thanks to your team|compliments|kudos|shout out"},
	{TERM_MOOD, -0.8f, 0.3f, -1.5f, 1.5f,
		"happy|love|great|awesome|excellent|amazing|fantastic|wonderful|perfect|perfectly|delighted|pleased|enjoy*|"
		"satisfied|impressed|brilliant|helpful|friendly|smooth|smoothly|glad|good"},

	/* live business: only beside a problem */
	{TERM_SCOPE, 2.2f, 0, 0.3f, 0,
		"production|all users|all our users|all of our users|every user|all customers|all our customers|"
		"all of our customers|every customer|everyone|everybody|whole company|entire company|whole team|entire team|"
		"whole office|entire office|our entire|the entire|the whole|company wide|all employees|all staff|all of us|"
		"multiple users|many users|several users|hundreds of|thousands of|all locations|all branches|all stores|"
		"all sites|all our sites|our customers|our clients|patients|live site|live system|live shop|web shop|online shop|our shop|our store|"
		"black friday|business critical|mission critical|# users|# customers|# employees|# people|# computers|"
		"# orders|# locations|all orders|every order|all payments"},

	/* mood */
	{TERM_MOOD, 0.2f, 0, 1.5f, -0.5f,
		"annoyed|annoying|annoyingly|irritating|irritated|frustrating|inconvenient|inconvenience|unhappy|upset|"
		"confused|confusing|sad|sadly|concerned|worried|worrying|disappointing|poor|poorly|unprofessional|"
		"unhelpful|tired of|bothers|complaint|complain*|unsatisfied|dissatisfied|not good|not great|not happy|not acceptable|"
		"not impressed|let down"},
	{TERM_MOOD, 0.4f, 0, 2.2f, -0.5f,
		"frustrated|frustration|disappointed|disappointment|fed up|sick of|had enough|enough is enough|"
		"sick and tired|very unhappy|bad|awful|rude|useless|joke|nonsense|sick of this|wasted|waste of time|wasting my time|"
		"waste of money|unbelievable|losing patience|running out of patience|lost patience|out of patience|patience|"
		"what is going on|how is this possible|how hard can|expected better|deserve better|switch to|switching to|"
		"competitor*|cancel my subscription|cancel our subscription|cancel my account|close my account|cancelling|canceling|leaving you"},
	{TERM_MOOD, 0.6f, 0, 3.2f, -0.5f,
		"angry|furious|livid|outraged|outrageous|outrage|unacceptable|inexcusable|ridiculous|disgusting|disgusted|"
		"disgrace|disgraceful|terrible|horrible|pathetic|appalling|appalled|worst|incompetent|incompetence|hate|"
		"shame|shameful|shame on|scam|scammed|scammers|thieves|theft|steal*|stole|crook*|robbed|liar*|lying|lied|lies|"
		"insane|absurd|infuriating|insult*|insulting|garbage|trash|rubbish|crap|crappy|bullshit|wtf|damn|hell|"
		"sucks|fuck|fucking|shit|bloody|idiot*|stupid|never again|rip off|ripoff|robbery|demand|i demand|we demand|how dare"},
	{TERM_MOOD, 1, 0, 3, 0,
		"lawyer*|attorney|solicitor|legal action|sue|suing|court|small claims|consumer protection|ombudsman|"
		"report you|reporting you|bad review|negative review|one star|# star review|trustpilot|social media|regulator|"
		"speak to a manager|speak to your manager|your manager|supervisor|better business bureau|going public|the press"},

	/* what acts on the next term */
	{TERM_NEGATE, 0, 0, 0, 0,
		"not|no|never|without|cannot|cant|can not|dont|do not|doesnt|does not|isnt|is not|arent|are not|wasnt|werent|"
		"wont|will not|wouldnt|couldnt|could not|didnt|did not|hasnt|havent|hadnt|aint|no longer|not any longer|"
		"unable to|unable|not able to|nothing|neither|hardly|barely|failed to|fails to|failing to|fail to|refuses to|refused to|"
		"impossible to|not possible to|stopped|stops|nobody|none|isn t|doesn t|can t|don t|won t|didn t|haven t|wasn t"},
	{TERM_NEGATE_AGAIN, 0, 0, 0, 0, "or|nor"},
	{TERM_STOP, 0, 0, 0, 0,
		"and|but|however|although|though|because|since|so that|not only|why not|whether or not|no matter|no doubt|"
		"no problem|no worries|not sure|not certain|no idea|if not|not to mention|then|yet|which|instead"},
	{TERM_BOOST, 0, 0, 0, 0,
		"very|really|extremely|so|completely|totally|absolutely|utterly|highly|incredibly|deeply|super|terribly|"
		"severely|severe|major|massive|huge|serious|seriously|beyond|truly|entirely|most|such a|such an|too"},
	{TERM_DAMP, 0, 0, 0, 0,
		"slightly|slight|a bit|a little|somewhat|kind of|sort of|small|occasional|occasionally|sometimes|"
		"rarely|mildly|fairly|a few|partially|partly|potential|potentially|might be|may be|could be|if the|if it|in case of|in case|example|prevent|avoid|against"},
};

/* Small words that few other languages share; "in", "is", "was", "we" and the like would count Dutch or German. */
static const char english[] =
	" the and you your my our this that with have has not can cannot please are it its for how when what why where"
	" would there does to of from been but be could they i im were had which should any after it's get got"
	" dont doesnt isnt thanks thank hello help need ";

/* Capital and small letters U+00C0 to U+00FF without their marks. */
static const char latin1[] =
	"aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty";

static const char numbers[] = " one two three four five six seven eight nine ten several few many ";

/* One character of the text, folded. */
typedef struct Glyph
{
	size_t		len;			/* bytes it took */
	char		byte;			/* the folded letter; 0: keep the bytes as they are */
	bool		letter;			/* part of a word */
	bool		capital;
	bool		small;
	bool		apostrophe;
} Glyph;

static Glyph
glyph_of_ascii(unsigned char c)
{
	Glyph		glyph = {.len = 1, .byte = (char) c};

	if (c >= 'A' && c <= 'Z')
	{
		glyph.byte = (char) (c + ('a' - 'A'));
		glyph.capital = true;
	}
	glyph.small = c >= 'a' && c <= 'z';
	glyph.letter = glyph.capital || glyph.small || (c >= '0' && c <= '9');
	glyph.apostrophe = c == '\'';
	return glyph;
}

/* Punctuation that is not ASCII comes as the ASCII sign that does the same. */
static Glyph
glyph_of_sequence(const unsigned char *s, size_t len)
{
	Glyph		glyph = {.len = len};

	if (len == 2 && s[0] == 0xC2)
		glyph.byte = ' ';		/* U+0080 to U+00BF: spaces and signs */
	else if (len == 2 && s[0] == 0xC3)
	{
		glyph.byte = latin1[s[1] & 0x3F];
		glyph.letter = glyph.byte != ' ';
		glyph.capital = glyph.letter && s[1] < 0x9F;
		glyph.small = glyph.letter && !glyph.capital;
	}
	else if (len == 3 && s[0] == 0xE2 && (s[1] == 0x80 || s[1] == 0x81))
	{
		/* U+2000 to U+207F: general punctuation */
		glyph.apostrophe = s[1] == 0x80 && s[2] == 0x99;
		glyph.byte = s[1] == 0x80 && s[2] >= 0x93 && s[2] <= 0x95 ? ',' : ' ';
	}
	else if (len == 3 && s[0] == 0xE3 && s[1] == 0x80)
		glyph.byte = s[2] == 0x82 ? '.' : ' ';	/* ideographic punctuation */
	else if (len == 3 && s[0] == 0xEF && s[1] == 0xBC && (s[2] == 0x81 || s[2] == 0x9F))
		glyph.byte = s[2] == 0x81 ? '!' : '?';
	else
		glyph.letter = glyph.small = true;
	return glyph;
}

static Glyph
glyph_at(const char *text, size_t len)
{
	size_t		sequence;

	if ((unsigned char) text[0] < 0x80)
		return glyph_of_ascii((unsigned char) text[0]);
	sequence = utf8_sequence(text, len);
	if (sequence == 0)
		return (Glyph){.len = 1, .byte = ' '};
	return glyph_of_sequence((const unsigned char *) text, sequence);
}

static bool
words_reserve(Words *words, size_t more)
{
	if (words->text_len + more > words->text_size)
	{
		size_t		size = (words->text_size + more) * 2;
		char	   *text = realloc(words->text, size);

		if (text == NULL)
			return false;
		words->text = text;
		words->text_size = size;
	}
	if (words->count == words->size)
	{
		size_t		size = words->size == 0 ? 128 : words->size * 2;
		Word	   *items = realloc(words->items, size * sizeof(Word));

		if (items == NULL)
			return false;
		words->items = items;
		words->size = size;
	}
	return true;
}

/* Reads one word, which starts at text; the count of bytes read, or 0 when out of memory. */
static size_t
words_take(Words *words, const char *text, size_t len, Pause pause)
{
	size_t		at = 0;
	size_t		start = words->text_len;
	int			capitals = 0;
	int			smalls = 0;

	while (at < len)
	{
		Glyph		glyph = glyph_at(text + at, len - at);

		if (glyph.apostrophe && at + glyph.len < len &&
			glyph_at(text + at + glyph.len, len - at - glyph.len).letter)
		{
			at += glyph.len;
			continue;
		}
		if (!glyph.letter)
			break;
		if (!words_reserve(words, 4))
			return 0;
		if (glyph.byte != 0)
			words->text[words->text_len++] = glyph.byte;
		else
		{
			memcpy(words->text + words->text_len, text + at, glyph.len);
			words->text_len += glyph.len;
		}
		capitals += glyph.capital;
		smalls += glyph.small;
		at += glyph.len;
	}
	words->items[words->count++] = (Word){
		.offset = (uint32_t) start, .len = (uint32_t) (words->text_len - start),
		.pause = (uint8_t) pause, .capitals = capitals >= 2 && smalls == 0
	};
	return at;
}

/* Takes note of the marks in a run such as "?!!", which starts at text; the count of bytes read. */
static size_t
words_take_marks(Words *words, const char *text, size_t len)
{
	size_t		at = 0;
	int			exclamations = 0;
	int			marks = 0;

	while (at < len)
	{
		Glyph		glyph = glyph_at(text + at, len - at);

		if (glyph.byte != '!' && glyph.byte != '?')
			break;
		exclamations += glyph.byte == '!';
		marks++;
		at += glyph.len;
	}
	if (exclamations < marks)
		words->questions++;
	if (marks >= 2 && (exclamations > 0 || marks >= 3))
		words->exclamation_runs++;
	else if (exclamations == 1)
		words->exclamations++;
	return at;
}

static Pause
pause_of(char byte, const char *after, size_t len)
{
	switch (byte)
	{
		case ',':
		case ':':
		case '(':
		case ')':
			return PAUSE_CLAUSE;
		case ';':
		case '\f':
			return PAUSE_SENTENCE;
		case '.':
			/* not the point of 3.5 or of example.org */
			return len == 0 || !glyph_at(after, len).letter ? PAUSE_SENTENCE : PAUSE_NONE;
		case '\n':
			/* a line break alone may be the mailer's; a blank line is the writer's */
			return len > 0 && (*after == '\n' || *after == '\r' || *after == '-' || *after == '*')
				? PAUSE_SENTENCE : PAUSE_NONE;
		default:
			return PAUSE_NONE;
	}
}

bool
words_add(Words *words, const char *text, size_t len)
{
	size_t		at = 0;
	Pause		pause = PAUSE_SENTENCE;

	while (at < len)
	{
		Glyph		glyph = glyph_at(text + at, len - at);

		if (glyph.letter)
		{
			size_t		taken = words_reserve(words, 4) ? words_take(words, text + at, len - at, pause) : 0;

			if (taken == 0)
				return false;
			at += taken;
			pause = PAUSE_NONE;
		}
		else if (glyph.byte == '!' || glyph.byte == '?')
		{
			at += words_take_marks(words, text + at, len - at);
			pause = PAUSE_SENTENCE;
		}
		else
		{
			Pause		found = pause_of(glyph.byte, text + at + glyph.len, len - at - glyph.len);

			at += glyph.len;
			if (found > pause)
				pause = found;
		}
	}
	return true;
}

void
words_free(Words *words)
{
	free(words->text);
	free(words->items);
	memset(words, 0, sizeof(*words));
}

const TermGroup *
lexicon_groups(int *count)
{
	*count = (int) (sizeof(groups) / sizeof(groups[0]));
	return groups;
}

static uint32_t
hash_of(const char *word, size_t len)
{
	uint32_t	hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) word[i]) * 16777619u;
	return (hash ^ (hash >> 15)) % LEXICON_SLOTS;
}

static void
lexicon_put(Lexicon *lexicon, const char *phrase, size_t len, int group)
{
	size_t		first = 0;
	uint16_t   *slot;

	if (lexicon->count == LEXICON_TERMS_MAX)
		return;					/* test_builtin counts them */
	while (first < len && phrase[first] != ' ' && phrase[first] != '*')
		first++;
	slot = &lexicon->slots[hash_of(phrase, first)];
	lexicon->terms[lexicon->count].phrase = phrase;
	lexicon->terms[lexicon->count].len = (uint16_t) len;
	lexicon->terms[lexicon->count].group = (uint16_t) group;
	lexicon->terms[lexicon->count].next = *slot;
	*slot = (uint16_t) ++lexicon->count;
}

void
lexicon_init(Lexicon *lexicon)
{
	int			group_count;
	const TermGroup *group = lexicon_groups(&group_count);

	memset(lexicon->slots, 0, sizeof(lexicon->slots));
	lexicon->count = 0;
	for (int i = 0; i < group_count; i++)
	{
		const char *phrase = group[i].phrases;

		for (;;)
		{
			size_t		len = strcspn(phrase, "|");

			lexicon_put(lexicon, phrase, len, i);
			if (phrase[len] == '\0')
				break;
			phrase += len + 1;
		}
	}
}

bool
word_list_has(const char *list, const char *word, size_t len)
{
	char		needle[WORD_MAX + 3];

	if (len > WORD_MAX)
		return false;
	needle[0] = ' ';
	memcpy(needle + 1, word, len);
	memcpy(needle + 1 + len, " ", 2);
	return strstr(list, needle) != NULL;
}

static bool
is_number(const char *word, size_t len)
{
	return (word[0] >= '0' && word[0] <= '9') || word_list_has(numbers, word, len);
}

/* Is the word's ending one of those that '*' stands for? */
static bool
is_inflection(const char *ending, size_t len)
{
	return (len == 1 && (*ending == 's' || *ending == 'd')) ||
		(len == 2 && (memcmp(ending, "es", 2) == 0 || memcmp(ending, "ed", 2) == 0)) ||
		(len == 3 && memcmp(ending, "ing", 3) == 0);
}

static bool
word_matches(const char *pattern, size_t pattern_len, const char *word, size_t len)
{
	if (pattern_len == 1 && *pattern == '#')
		return is_number(word, len);
	if (pattern_len == 1 && *pattern == '*')
		return true;
	if (pattern[pattern_len - 1] != '*')
		return pattern_len == len && memcmp(pattern, word, len) == 0;
	pattern_len--;
	if (len < pattern_len || memcmp(pattern, word, pattern_len) != 0)
		return false;
	return len == pattern_len || is_inflection(word + pattern_len, len - pattern_len);
}

/* How many words of the text the phrase takes from at on; 0: it does not stand there. */
static size_t
phrase_matches(const char *phrase, size_t len, const Words *words, size_t at)
{
	size_t		taken = 0;
	size_t		start = 0;

	while (start < len)
	{
		const Word *word = &words->items[at + taken];
		size_t		end = start;

		if (at + taken >= words->count || (taken > 0 && word->pause != PAUSE_NONE))
			return 0;
		while (end < len && phrase[end] != ' ')
			end++;
		if (!word_matches(phrase + start, end - start, words->text + word->offset, word->len))
			return 0;
		taken++;
		start = end + 1;
	}
	return taken;
}

static int
match_in_slot(const Lexicon *lexicon, uint32_t slot, const Words *words, size_t at, size_t *taken)
{
	int			best = -1;

	for (int i = lexicon->slots[slot]; i != 0; i = lexicon->terms[i - 1].next)
	{
		size_t		found = phrase_matches(lexicon->terms[i - 1].phrase, lexicon->terms[i - 1].len, words, at);

		if (found > *taken)
		{
			*taken = found;
			best = i - 1;
		}
	}
	return best;
}

int
lexicon_match(const Lexicon *lexicon, const Words *words, size_t at, size_t *taken)
{
	const char *word = words->text + words->items[at].offset;
	size_t		len = words->items[at].len;
	int			best;

	*taken = 0;
	if (len > WORD_MAX)
		return -1;
	best = match_in_slot(lexicon, hash_of(word, len), words, at, taken);
	/* terms are found under the word as they spell it, so an inflected one is looked up without its ending */
	for (size_t ending = 1; ending <= 3 && ending + 2 <= len; ending++)
	{
		int			found = -1;

		if (is_inflection(word + len - ending, ending))
			found = match_in_slot(lexicon, hash_of(word, len - ending), words, at, taken);
		if (found >= 0)
			best = found;
	}
	/* "3 times": the number comes first */
	if (is_number(word, len))
	{
		int			found = match_in_slot(lexicon, hash_of("#", 1), words, at, taken);

		if (found >= 0)
			best = found;
	}
	return best;
}

bool
lexicon_is_english(const Words *words)
{
	size_t		sample = words->count < LANGUAGE_SAMPLE ? words->count : LANGUAGE_SAMPLE;
	size_t		found = 0;

	for (size_t i = 0; i < sample; i++)
	{
		if (word_list_has(english, words->text + words->items[i].offset, words->items[i].len))
			found++;
	}
	/* in running English every third word is one of these, in its neighbours one in twenty */
	return found >= 2 && found * 5 >= sample;
}
