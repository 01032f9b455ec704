"""What stands for a service: finance and travel."""

from demo.drawing.canvas import Canvas, mirrored


def piggy_bank(c: Canvas) -> None:
    """A piggy bank with a coin above its slot."""
    c.disc(50, 14, 9, fill="gold")
    c.disc(50, 14, 6, fill=(240, 206, 116))
    c.line((50, 10), (50, 18), width=1.8, fill="gold")
    c.arc(86, 44, 98, 58, 60, 330, 2.6)
    for x in (26, 38, 62, 74):
        c.box(x, 74, x + 9, 92, 3, fill="dark")
    c.oval(14, 28, 90, 84)
    c.polygon((24, 40), (22, 20), (40, 32), fill="dark")
    c.oval(4, 48, 22, 70, fill="light")
    for y in (55, 63):
        c.disc(11, y, 1.9, fill="ink")
    c.disc(27, 48, 2.8, fill="ink")
    c.box(42, 30, 60, 34, 2, fill="ink")


def line_chart(c: Canvas) -> None:
    """A framed card with bars and a line that rises and falls."""
    c.box(4, 14, 96, 88, 5)
    c.box(12, 22, 88, 80, 2, fill="paper")
    for i, height in enumerate((12, 20, 15, 28, 24)):
        c.box(22 + i * 13, 74 - height, 30 + i * 13, 74, fill="metal")
    c.line((17, 26), (17, 75), (85, 75), width=1.6, fill="ink")
    c.line((20, 62), (34, 48), (46, 56), (60, 36), (70, 43), (82, 28), width=3.4, fill=(214, 66, 74))
    c.disc(82, 28, 3.2, fill=(214, 66, 74))


def umbrella(c: Canvas) -> None:
    """An open umbrella in the rain."""
    c.line((50, 8), (50, 84), width=2.8, fill="wood")
    c.arc(38, 76, 50, 94, 0, 180, 2.8, fill="wood")
    c.polygon(*mirrored((50, 52), (38, 47), (27, 52), (16, 47), (4, 52), (8, 36), (18, 23), (34, 14), (50, 11)))
    for x, points in ((27, ((50, 11), (34, 28), (27, 51))), (50, ((50, 11), (50, 51))), (73, ((50, 11), (66, 28), (73, 51)))):
        c.curve(*points, width=1.2 if x != 50 else 1.4)
    for x, y in ((12, 66), (26, 74), (38, 64), (64, 66), (76, 76), (88, 64)):
        c.line((x, y), (x - 2.4, y + 7), width=2, fill=(120, 176, 224))


def credit_card(c: Canvas) -> None:
    """A bank card: chip, stripe of numbers, two overlapping discs; another card behind."""
    c.polygon((18, 16), (94, 26), (88, 72), (12, 62), fill="dark")
    c.box(4, 32, 92, 86, 6)
    c.box(4, 38, 92, 46, fill="ink")
    c.box(12, 52, 27, 63, 2, fill="gold")
    c.line((12, 57.5), (27, 57.5), width=0.8, fill="ink")
    c.line((19.5, 52), (19.5, 63), width=0.8, fill="ink")
    for x in (12, 27, 42, 57):
        c.box(x, 69, x + 11, 73, 1, fill="paper")
    c.box(12, 77, 40, 80, 1, fill="paper")
    c.disc(72, 77, 6.5, fill=(226, 74, 62))
    c.disc(81, 77, 6.5, fill=(246, 184, 66))


def nest_egg(c: Canvas) -> None:
    """A nest egg: a large egg in a nest of twigs."""
    c.blob((50, 8), (66, 20), (76, 44), (70, 66), (50, 74), (30, 66), (24, 44), (34, 20))
    c.blob((6, 58), (20, 62), (50, 66), (80, 62), (94, 58), (90, 76), (74, 90), (50, 93), (26, 90), (10, 76), fill=(140, 98, 60))
    for i in range(16):
        x = 8 + (i * 23) % 72
        y = 64 + (i * 7) % 22
        c.line((x, y), (x + 16, y + (5 if i % 2 else -4)), width=1.6, fill=(186, 142, 92) if i % 3 else (104, 70, 42))
    c.line((2, 58), (22, 66), width=2, fill=(104, 70, 42))
    c.line((98, 56), (78, 67), width=2, fill=(104, 70, 42))


def suitcase(c: Canvas) -> None:
    """A wheeled suitcase: pulled-out handle, ribs, a sticker."""
    c.line((38, 26), (38, 6), (62, 6), (62, 26), width=3, fill="steel")
    for x in (28, 64):
        c.box(x, 88, x + 8, 97, 3, fill="ink")
    c.box(20, 22, 80, 91, 8)
    for x in (31, 42, 58, 69):
        c.line((x, 26), (x, 87), width=1.4)
    c.box(42, 17, 58, 24, 2, fill="ink")
    c.box(18, 52, 82, 59, 1, fill="ink")
    c.box(46, 50, 54, 61, 1, fill="gold")
    c.disc(67, 74, 7, fill="paper")
    c.polygon((62, 76), (71, 69), (70, 77), fill=(214, 66, 74))


def skyline(c: Canvas) -> None:
    """A city: towers of several heights, one with a spire, a bridge of windows."""
    c.polygon((46, 28), (50, 4), (54, 28), fill="steel")
    for i, (x0, y0, x1) in enumerate(((2, 54, 18), (16, 38, 34), (38, 26, 62), (58, 46, 74), (70, 32, 86), (84, 58, 98))):
        c.box(x0, y0, x1, 88, fill="body" if i % 2 == 0 else "dark")
    for x0, top, floors in ((19, 43, 4), (26, 43, 4), (61, 52, 3), (67, 52, 3), (88, 64, 2), (93, 64, 1)):
        for y0 in range(top, top + floors * 11, 11):
            c.box(x0, y0, x0 + 4, y0 + 6, fill=(252, 226, 130))
    c.polygon((70, 32), (78, 20), (86, 32), fill="dark")
    c.box(0, 86, 100, 93, 2, fill="steel")
    for x in range(4, 98, 14):
        c.line((x, 89.5), (x + 6, 89.5), width=1.2, fill="paper")


def hotel(c: Canvas) -> None:
    """A hotel front: rows of lit windows, an awning over the door, a star sign."""
    c.box(14, 20, 86, 92)
    c.box(10, 14, 90, 22, 1, fill="dark")
    c.box(36, 4, 64, 16, 2, fill="ink")
    for x in (42, 50, 58):
        c.polygon((x, 6), (x + 2, 12.5), (x - 3.6, 8.4), (x + 3.6, 8.4), (x - 2, 12.5), fill="gold")
    for y in (28, 44, 60):
        for x in (21, 38, 55, 72):
            c.box(x - 1.2, y - 1.2, x + 9.2, y + 11.2, fill="ink")
            c.box(x, y, x + 8, y + 10, fill=(252, 226, 130))
    c.polygon((34, 74), (66, 74), (72, 81), (28, 81), fill=(198, 54, 62))
    c.box(40, 80, 60, 92, fill="ink")
    c.line((50, 81), (50, 92), width=1, fill="gold")
    c.box(4, 91, 96, 95, 1, fill="steel")


def train(c: Canvas) -> None:
    """A fast train from the side, on rails."""
    c.blob((98, 34), (98, 74), (60, 75), (16, 75), (2, 68), (8, 58), (24, 42), (44, 33), (70, 32))
    c.polygon((100, 31), (100, 76), (94, 76), (94, 31), fill="plain")
    c.polygon((14, 54), (26, 43), (38, 39), (38, 52), fill="ink")
    for x in (44, 58, 72, 86):
        c.box(x, 40, x + 10, 52, 2, fill=(214, 234, 246))
    c.polygon((4, 66), (10, 60), (100, 60), (100, 66), fill="paper")
    for x in (24, 38, 70, 84):
        c.disc(x, 77, 5.5, fill="ink")
        c.disc(x, 77, 2, fill="metal")
    c.line((0, 85), (100, 85), width=2.4, fill="steel")
    for x in range(4, 100, 12):
        c.box(x, 86, x + 6, 91, fill="wood")


def neck_pillow(c: Canvas) -> None:
    """A neck pillow: a thick horseshoe, and a sleep mask in it."""
    c.blob(*mirrored((42, 36), (34, 48), (36, 64), (38, 82), (26, 90), (12, 76), (6, 44), (22, 16), (42, 9)))
    c.curve((20, 80), (15, 58), (22, 34), (38, 22), (50, 20), (62, 22), (78, 34), (85, 58), (80, 80), width=1.3)
    c.disc(31, 82, 2.4, fill="ink")
    c.disc(69, 82, 2.4, fill="ink")
    c.blob((36, 60), (50, 58), (64, 60), (64, 70), (56, 73), (50, 67), (44, 73), (36, 70), fill="ink")
    c.arc(40, 62, 48, 70, 20, 160, 1, fill="paper")
    c.arc(52, 62, 60, 70, 20, 160, 1, fill="paper")
