"""What runs on a battery or on legs: electronics and sport."""

from demo.drawing.canvas import Canvas


def headphones(c: Canvas) -> None:
    """Over-ear headphones: band, cushions, cups."""
    c.arc(16, 10, 84, 90, 180, 360, 7, fill="dark")
    c.arc(20, 15, 80, 88, 200, 340, 3, fill="light")
    for x, side in ((8, 1), (72, -1)):
        c.box(x, 48, x + 20, 88, 8)
        c.box(x + (18 if side > 0 else -7), 50, x + (27 if side > 0 else 2), 86, 4, fill="ink")


def keyboard(c: Canvas) -> None:
    """A keyboard: rows of keys, a space bar, a cable."""
    c.curve((50, 30), (50, 20), (62, 14), (76, 10), width=2.2, fill="ink")
    c.box(3, 29, 97, 77, 5)
    for row in range(3):
        for column in range(10):
            x, y = 7.5 + column * 8.6 + row * 0.9, 34 + row * 10
            c.box(x, y, x + 6.8, y + 8, 1.4, fill="paper" if (row + column) % 7 else "dark")
    for x0, x1 in ((9, 20), (22.5, 29), (31.5, 68), (70.5, 77), (79.5, 92)):
        c.box(x0, 64, x1, 72, 1.4, fill="paper")


def speaker(c: Canvas) -> None:
    """A loudspeaker: a tall cabinet with a tweeter and a woofer, sound coming out."""
    c.box(26, 6, 74, 94, 6)
    c.disc(50, 26, 11, fill="ink")
    c.disc(50, 26, 5, fill="metal")
    c.disc(50, 64, 20, fill="ink")
    c.disc(50, 64, 14.5, fill="steel")
    c.disc(50, 64, 6, fill="ink")
    for reach in (0, 7):
        c.arc(62 - reach, 30 - reach, 86 + reach, 70 + reach, -38, 38, 2.2, fill="steel")
        c.arc(14 - reach, 30 - reach, 38 + reach, 70 + reach, 142, 218, 2.2, fill="steel")


def watch(c: Canvas) -> None:
    """A smartwatch: strap above and below, a dark display with rings and hands."""
    c.polygon((36, 4), (64, 4), (68, 32), (32, 32))
    c.polygon((32, 68), (68, 68), (64, 96), (36, 96))
    for y in (80, 86, 91):
        c.disc(50, y, 1.5, fill="ink")
    c.box(24, 25, 76, 75, 12, fill="metal")
    c.box(28, 29, 72, 71, 9, fill="ink")
    c.box(76, 43, 81, 55, 2, fill="metal")
    c.arc(35, 35, 65, 65, -90, 170, 3.2, fill=(240, 92, 104))
    c.arc(41, 41, 59, 59, -90, 100, 3.2, fill=(120, 220, 130))
    c.line((50, 50), (50, 44), width=1.8, fill="paper")
    c.line((50, 50), (55, 52), width=1.8, fill="paper")


def charger(c: Canvas) -> None:
    """A wall charger: two pins, a body with a lightning bolt, a cable with a plug."""
    for x in (34, 52):
        c.box(x, 4, x + 6, 22, 1.5, fill="metal")
    c.curve((46, 74), (46, 92), (66, 94), (80, 84), (84, 64), (84, 52), width=3.4, fill="ink")
    c.box(79, 34, 89, 54, 2.5, fill="ink")
    c.box(80.5, 25, 87.5, 35, 1, fill="metal")
    c.box(18, 20, 74, 76, 9)
    c.disc(46, 48, 17, fill="paper")
    c.polygon((49, 34), (37, 51), (45, 51), (42, 62), (55, 45), (47, 45), fill=(244, 176, 36))


def running_shoe(c: Canvas) -> None:
    """A running shoe from the side: laces, side flash, thick light sole."""
    c.blob((12, 34), (20, 28), (32, 34), (46, 36), (58, 48), (78, 56), (92, 64), (92, 74), (50, 76), (8, 74), (8, 52))
    c.polygon((48, 34), (62, 50), (52, 58), (38, 42), fill="paper")
    for i in range(4):
        c.line((40 + i * 4.2, 43 + i * 4), (49 + i * 4.2, 37 + i * 4), width=1.9, fill="ink")
    c.blob((10, 30), (20, 27), (32, 33), (26, 40), (12, 40), fill="ink")
    c.curve((16, 66), (34, 64), (48, 54), width=4, fill="dark")
    c.curve((24, 71), (42, 68), (56, 58), width=3, fill="dark")
    c.polygon((4, 70), (94, 68), (97, 76), (90, 84), (10, 84), (3, 78), fill="paper")
    c.line((6, 83), (90, 83), width=2.6, fill="steel")
    for x in range(14, 88, 9):
        c.line((x, 74), (x + 3, 79), width=1.4, fill="metal")


def yoga_mat(c: Canvas) -> None:
    """A yoga mat, half unrolled: a flat sheet and a coil with two straps."""
    c.polygon((20, 46), (66, 36), (98, 74), (36, 90))
    c.polygon((20, 46), (36, 90), (30, 88), (12, 52), fill="dark")
    c.polygon((10, 40), (60, 26), (72, 34), (72, 44), (24, 60))
    c.oval(6, 36, 28, 62, fill="dark")
    for inset, shade in ((2.6, "light"), (5, "dark"), (7.4, "light"), (9.4, "dark")):
        c.oval(6 + inset, 36 + inset * 1.15, 28 - inset, 62 - inset * 1.15, fill=shade)
    for x in (36, 56):
        c.line((x, 33.5 - (x - 36) * 0.28), (x + 5, 54 - (x - 36) * 0.3), width=3, fill="ink")


def bicycle(c: Canvas) -> None:
    """A bicycle from the side, with a basket."""
    for x in (22, 78):
        c.disc(x, 66, 21, fill="ink")
        c.disc(x, 66, 17.5, fill=(228, 232, 238))
        for dx, dy in ((16, 0), (0, 16), (11.5, 11.5), (11.5, -11.5)):
            c.line((x - dx, 66 - dy), (x + dx, 66 + dy), width=0.7, fill="steel")
        c.disc(x, 66, 2.4, fill="steel")
    frame = ((22, 66), (36, 40), (66, 36), (48, 66), (22, 66))
    for points in (frame, ((36, 40), (48, 66)), ((64, 24), (67, 38), (78, 66)), ((34, 32), (36, 40))):
        c.line(*points, width=4.2, fill="plain")
    c.box(24, 27, 44, 33, 3, fill="ink")
    c.curve((56, 22), (64, 22), (68, 18), (64, 14), width=2.8, fill="ink")
    c.disc(48, 66, 5, fill="steel")
    c.line((48, 66), (54, 76), width=2, fill="ink")
    c.line((50, 77), (58, 76), width=2.4, fill="ink")
    c.polygon((69, 20), (96, 20), (92, 42), (73, 42))
    c.line((69, 20), (96, 20), width=2)


def tent(c: Canvas) -> None:
    """A ridge tent with an open flap, pegs and ropes."""
    c.line((26, 24), (3, 88), width=1.2, fill="steel")
    c.line((78, 24), (98, 84), width=1.2, fill="steel")
    c.polygon((40, 16), (78, 22), (95, 82), (66, 90), fill="dark")
    c.polygon((40, 16), (68, 90), (8, 90))
    c.polygon((39, 34), (54, 90), (26, 90), fill="ink")
    c.polygon((39, 34), (26, 90), (16, 90), (34, 52), fill="light")
    c.line((40, 16), (40, 8), width=1.8, fill="wood")
    c.polygon((40, 6), (53, 10), (40, 14), fill=(228, 88, 66))
    c.line((40, 16), (78, 22), width=1.6)


def goggles(c: Canvas) -> None:
    """Swimming goggles: two tinted lenses, a nose bridge, a split strap."""
    c.arc(4, 14, 96, 96, 195, 345, 6)
    c.arc(6, 28, 94, 100, 192, 348, 3.6)
    c.line((46, 58), (54, 58), width=5, fill="ink")
    for x in (8, 53):
        c.blob((x, 50), (x + 8, 43), (x + 30, 44), (x + 39, 52), (x + 35, 70), (x + 18, 77), (x + 3, 68))
        c.blob((x + 5, 53), (x + 11, 48), (x + 28, 49), (x + 34, 54), (x + 31, 67), (x + 18, 72), (x + 7, 65), fill=(70, 92, 122))
        c.line((x + 12, 55), (x + 20, 53), width=2, fill=(178, 208, 232))
    for x, y in ((16, 84), (50, 88), (82, 85)):
        c.disc(x, y, 2.6, fill=(150, 204, 236))
