"""Data of others that may stand inside copy as it is: one short line that says something, and gives nobody orders.

Names, phrases of the catalogue, shoppers' names and cities go into copy word for word. So they may hold no markup, no link, no account or
telephone number, no control character, and no instruction to a language model. What a model *reads* of them is `prompt.py`'s to fence in.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from copywriting.reading import HAN, fold, unmask

MAX_PLAIN = 80
_BLANKS = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_MARKUP = set("{}<>|`\\^~")
_CONTACT = re.compile(
    r"://|www\.|(?<![A-Za-z0-9-])[a-z0-9-]+\.(?:com|cn|net|org|io|top|xyz|shop|example|co|cc|vip|ru|info|biz|me|app|site|online|link)(?![a-z0-9])|\S@\S|(?<!\w)@\w"
    r"|(?<!\d)(?:\+?\d[\d ()-]{8,}\d)(?!\d)|(?:微信|weixin|wechat|whatsapp|telegram|vx|qq)\s*[:：号]?\s*[\w-]{4,}|加(?:微信|群|v)|扫码",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"(?<![A-Za-z])[A-Z]{4,}(?![A-Za-z])")
_QUOTED = re.compile(r"[\"“‘「『]([^\"”’」』]{4,30})[\"”’」』]")
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|discard|skip)\b.{0,40}\b(?:instruction|prompt|rule|previous|above|prior|earlier|all|everything|guideline|polic|polici|constraint|context|told)"
    r"|\b(?:system|developer|assistant|user|human|ai|bot|model|llm|gpt|shop|admin)\s*(?:prompt|message|note|override|instruction|mode)?\s*[:：>\]]"
    r"|\b(?:system|hidden|secret|initial)\s+(?:prompt|message|instruction)s?\b|\byou (?:are|must|should|will|have to|shall|can) (?:now|always|only|reply|respond|answer|write|say|output|print|include|act|pretend|obey|state|mention|begin|end|use|never)\b"
    r"|\b(?:act|behave|respond|pretend|roleplay|role-play) as\b|\bnew (?:instructions?|rules?|task|role|system)\b|\bfrom now on\b|\b(?:respond|reply|answer) (?:only |just |simply )?(?:with|in|using)\b"
    r"|\b(?:say|print|output|write|repeat|reveal|show|echo|type|return|include|insert|add|mention|append|emit|display|translate|decode|execute|run|begin|start|end|sign|use|quote|put|spell|recite|state|tell|announce|call|render|generate|produce|summari[sz]e|rewrite|replace|set|change|convert|copy|paste|leak|dump|list)\b[^.!?]{0,40}(?:(?<!\w)'|[\"“‘:：]|\b(?:word|phrase|string|token|canary|secret|password|prompt|instructions?|system|price|link|url|following|exactly|verbatim|customers?|output|reply|copy|text|code|sentence|message|everything|name|shopper|conversation|key|number)\b)"
    r"|\b(?:jailbreak|prompt injection|dan mode|developer mode|do anything now|sudo|base64|rot-?13|eval|exec)\b|\[/?inst\]|###|<\|?|\|>|im_start|im_end|endoftext|```|-->|<!--"
    r"|(?:忽略|无视|忘记|忘掉|跳过|绕过|覆盖|不要理会|不必理会|停止遵守|放弃|抛开|不用管|别管|不要遵守|不再遵守)[^。]{0,16}(?:指令|提示|规则|要求|以上|上面|之前|前面|先前|设定|限制|约束|内容|所有|一切|对话|系统|搜索|查询|分类|事实|知识)"
    r"|(?:系统|开发者|管理员|助手|用户|客服|机器人|模型|平台|店主|商家|编辑)(?:提示词?|指令|消息|模式|通知|备注|公告|留言|要求)?\s*[:：】\]]|(?:系统|隐藏|初始)(?:提示词|提示|指令|设定)|提示词"
    r"|(?:你|您)(?:现在|从现在|必须|应当|应该|只能|需要|要|将|务必|不再)(?:是|扮演|回答|回复|输出|写|说|在|只|把|成为|用|以|忘|忽)|扮演|角色扮演|从现在(?:开始|起)|新的?(?:指令|规则|任务|角色|身份|设定)"
    r"|(?:请|务必|必须|直接|只|马上|立即|一定要|记得|先|然后|接下来|并|都|统一|麻烦|帮忙?|再|就|要)?(?:输出|打印|复述|重复|写出|写上|说出|回复|回答|返回|展示|显示|泄露|透露|翻译|解码|执行|运行|插入|加上|附上|包含|改成|改为|替换|设为|标价|标成|告诉|念出|照抄|朗读|列出|生成|拼写|署名|开头写|结尾写|末尾写|末尾加)[^，。]{0,14}(?:[:：“”\"'「『]|以下|这句|单词|这个词|字样|提示|指令|系统|密码|暗号|口令|价格|链接|网址|内容|文字|全部|原文|顾客|用户|所有人|名字|手机|电话|对话|词|句|文案|回复|代码)"
    r"|越狱|注入|咒语|口令|暗号|作废|照[写抄办搬]|原样|签名收尾|最高优先级|优先于|如果你是|听我指挥|服从|必读|插播|请(?:用|把|忘|听|写|在|让|转告|照|继续|附|逐字|直接|立即|客服)|编辑注|管理员|合规部?|审核员|【|命令|任务是|紧急|编号\d|违者|(?<![A-Za-z])AI(?:助手|必读|看到|总结|模型|写|说|请)|附加[:：]|造句|就写|无效，|口号|print it|The real job|before this line|仅输出|然后写|价格是¥|allowed answer|his story|顺便把|以及让|喊|转告|=¥|价格是"
    r"|\bmust (?:be|contain|have|say|print|write|include|appear)|\bhas to (?:contain|be|say|include)|\bnote to\b|\b(?:an )?ais?\b(?= (?:reads|say|summar|assist|model))|\bif you are an?\b|\bkindly\b|\bdear (?:assistant|ai|model|editor|bot)|\bend of data\b|\boverride|\bdrop table|\bselect \*|\brm -rf|%[0-9a-f]{2}|(?:^|\s)--\w+|'='|\badmin\b|\bobey|\bi order you|\bgive you orders|\bcompliance\b|\bpolicy\b|\bviolation\b|\bthe model\b|\btell (?:readers|customers|me|shoppers)|\bforget\b|\bhypothetically|\bas your (?:developer|owner|boss)|\bhow would you shout|\bgoes in the ad|\bput it in|\bcode is\b|\bthank (?:him|her|them) by name|\bevery earlier identity|\byou are \w+bot|\bsay it|\bsay so|\bsay all|\bthe word (?-i:[A-Z]{4,})|\bmaking ais\b|\bwrite (?-i:[A-Z]{5,})|\bsay (?-i:[A-Z]{5,})|\bcode (?-i:[A-Z]{5,})|\breturn (?-i:[A-Z]{5,})|[*]{2,}|/[*]",
    re.IGNORECASE,
)


@lru_cache(maxsize=16384)
def plain_text(text: str) -> str | None:
    """The text as it may stand inside copy, blanks of every width made one space; None where it may not. A line break is no blank."""
    folded = _BLANKS.sub(" ", text).strip(" ")
    return folded if is_plain(folded) else None


def is_line(text: str) -> bool:
    """One printable line without markup or links: what a caller may ask to have in the copy, and answers for."""
    return text.isprintable() and not set("{}<>") & set(text) and "://" not in text and 0 < len(text.strip()) <= MAX_PLAIN


@lru_cache(maxsize=16384)
def is_plain(text: str) -> bool:
    """May this text of the catalogue or of a shopper stand inside copy as it is? A line without markup, links, contacts or orders."""
    return is_line(text) and not _MARKUP & set(text) and not _CONTACT.search(text) and not gives_orders(text)


def is_harmless(text: str) -> bool:
    """May a model read this longer text of others? It gives no orders, carries no contact of anybody, no markup and nothing invisible."""
    shown = text.replace("\n", " ").isprintable() and not set("{}<>") & set(text)
    return shown and not gives_orders(text) and not _CONTACT.search(text)


def marks_of(texts: Iterable[str]) -> frozenset[str]:
    """What a writer that obeyed these texts would repeat of them: their words in capitals and what they put in quotes, folded."""
    folded = [fold(text) for text in texts]
    return frozenset(mark.casefold() for text in folded for mark in (*_SHOUTED.findall(text), *_QUOTED.findall(text)))


def _joined(text: str) -> str:
    """Chinese that is broken over lines, in one line."""
    return re.sub(rf"(?<=[{HAN}¥\d])\s+(?=[{HAN}¥\d])", "", text)


@lru_cache(maxsize=16384)
def gives_orders(text: str) -> bool:
    """Does a text of others tell a reader or a model what to do, instead of saying something? Disguises are seen through."""
    return any(_ORDERS.search(form) for form in (text, unmask(text), _joined(text)))
