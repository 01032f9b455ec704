"""What people wear: fashion, and what a baby is dressed, fed, washed, carried and laid down with."""

from demo.drawing.canvas import Canvas


def coat(c: Canvas) -> None:
    """A long coat with sleeves, lapels, a belt and buttons."""
    c.polygon((33, 14), (20, 24), (11, 68), (22, 71), (33, 36))
    c.polygon((67, 14), (80, 24), (89, 68), (78, 71), (67, 36))
    c.polygon((34, 11), (66, 11), (72, 26), (70, 50), (77, 93), (23, 93), (30, 50), (28, 26))
    c.polygon((40, 10), (60, 10), (50, 34), fill="paper")
    c.polygon((39, 9), (50, 38), (36, 30), (31, 15), fill="dark")
    c.polygon((61, 9), (50, 38), (64, 30), (69, 15), fill="dark")
    c.line((50, 38), (50, 92), width=1.2)
    c.box(29, 49, 71, 55, fill="dark")
    c.box(46, 47.5, 54, 56.5, 1, fill="metal")
    for y in (43, 63, 74):
        c.disc(55, y, 1.8, fill="ink")
    c.line((31, 66), (41, 64), width=1.6)
    c.line((69, 66), (60, 64), width=1.6)
    for x, lean in ((11, 11), (78, 11)):
        c.line((x + 1, 64.5 if x < 50 else 66), (x + lean - 1, 66 if x < 50 else 64.5), width=1.6)


def dress(c: Canvas) -> None:
    """A sleeveless dress: straps, a narrow waist with a sash, a wide skirt."""
    c.line((40, 10), (38, 22), width=3.2, fill="plain")
    c.line((60, 10), (62, 22), width=3.2, fill="plain")
    c.blob((37, 20), (44, 23), (50, 26), (56, 23), (63, 20), (65, 30), (60, 44), (50, 45), (40, 44), (35, 30))
    c.polygon((40, 43), (60, 43), (72, 66), (84, 88), (68, 91), (50, 92), (32, 91), (16, 88), (28, 66))
    c.box(39, 41, 61, 46.5, 1.5, fill="dark")
    c.polygon((57, 46), (62, 46), (68, 62), (61, 60), fill="dark")
    for top, bottom in ((44, 34), (50, 50), (56, 66)):
        c.line((top, 50), (bottom, 88), width=0.9)


def jumper(c: Canvas) -> None:
    """A knitted jumper: ribbed neck, cuffs and hem."""
    c.polygon((32, 22), (18, 30), (7, 74), (19, 78), (32, 46))
    c.polygon((68, 22), (82, 30), (93, 74), (81, 78), (68, 46))
    c.blob((34, 21), (50, 24), (66, 21), (72, 34), (71, 60), (72, 82), (50, 83), (28, 82), (29, 60), (28, 34))
    c.box(28, 77, 72, 87, 2, fill="dark")
    c.polygon((7, 72), (5, 81), (17, 85), (20, 76), fill="dark")
    c.polygon((93, 72), (95, 81), (83, 85), (80, 76), fill="dark")
    for x in range(31, 71, 4):
        c.line((x, 79), (x, 86), width=0.8, fill="light")
    c.oval(36, 14, 64, 30, fill="dark")
    c.oval(40, 15, 60, 25, fill="ink")


def ankle_boot(c: Canvas) -> None:
    """An ankle boot from the side: shaft, block heel, elastic gusset, pull tab."""
    c.line((63, 12), (63, 22), width=4, fill="dark")
    c.polygon((40, 16), (68, 16), (69, 56), (72, 78), (12, 78), (11, 70), (22, 60), (36, 52))
    c.blob((14, 66), (30, 55), (44, 52), (52, 66), (46, 79), (12, 79))
    c.polygon((10, 77), (74, 77), (74, 82), (10, 82), fill="ink")
    c.polygon((54, 81), (74, 81), (72, 93), (56, 93), fill="ink")
    c.polygon((50, 17), (60, 17), (59, 45), (52, 45), fill="ink")
    c.curve((34, 53), (44, 60), (48, 77), width=1.3)
    c.line((40, 17), (68, 17), width=2.4)


def handbag(c: Canvas) -> None:
    """A handbag: arched handle, flap and clasp."""
    c.arc(31, 8, 69, 66, 180, 360, 4.2)
    c.polygon((19, 40), (81, 40), (90, 88), (10, 88))
    c.polygon((18, 38), (82, 38), (79, 58), (50, 67), (21, 58), fill="dark")
    c.box(45, 60, 55, 72, 2, fill="gold")
    c.disc(50, 66, 1.8, fill="ink")
    c.disc(31, 40, 3, fill="gold")
    c.disc(69, 40, 3, fill="gold")


def baby_bottle(c: Canvas) -> None:
    """A feeding bottle: teat, ring, milk and marks."""
    c.blob((46, 8), (54, 8), (55, 16), (62, 24), (50, 27), (38, 24), (45, 16), fill=(236, 200, 160))
    c.box(32, 24, 68, 34, 3, fill="dark")
    c.blob((34, 36), (50, 33), (66, 36), (70, 50), (66, 62), (71, 78), (66, 93), (50, 94), (34, 93), (29, 78), (34, 62), (30, 50))
    c.box(42, 44, 58, 86, 4, fill="paper")
    for i, y in enumerate(range(50, 84, 6)):
        c.line((45, y), (50 if i % 2 else 54, y), width=1.4, fill="steel")


def pram(c: Canvas) -> None:
    """A pram: folding hood, basket, handle and big wheels."""
    c.curve((76, 48), (86, 38), (94, 36), width=3, fill="steel")
    c.line((30, 66), (62, 84), width=2.4, fill="steel")
    c.line((66, 66), (32, 84), width=2.4, fill="steel")
    c.polygon((16, 46), (80, 46), (76, 60), (66, 69), (32, 69), (21, 61))
    c.polygon((16, 46), (17, 32), (24, 20), (36, 13), (46, 12), (48, 46), fill="dark")
    for x, y in ((20, 26), (32, 15)):
        c.line((47, 45), (x, y), width=1.3, fill="light")
    c.line((15, 46), (81, 46), width=2.6)
    for x in (30, 66):
        c.disc(x, 84, 10.5, fill="ink")
        c.disc(x, 84, 7.5, fill="paper")
        c.disc(x, 84, 2.4, fill="steel")


def babygrow(c: Canvas) -> None:
    """A babygrow with short sleeves, feet and snaps down the front."""
    c.polygon((34, 18), (12, 36), (21, 48), (34, 40))
    c.polygon((66, 18), (88, 36), (79, 48), (66, 40))
    c.blob((35, 17), (50, 21), (65, 17), (69, 36), (68, 58), (50, 62), (32, 58), (31, 36))
    c.polygon((32, 54), (51, 54), (48, 80), (30, 80))
    c.polygon((68, 54), (49, 54), (52, 80), (70, 80))
    c.blob((30, 79), (47, 79), (48, 91), (34, 92), (24, 88), fill="dark")
    c.blob((70, 79), (53, 79), (52, 91), (66, 92), (76, 88), fill="dark")
    c.oval(39, 12, 61, 25, fill="dark")
    c.oval(42, 12, 58, 21, fill="paper")
    for y in range(30, 58, 7):
        c.disc(50, y, 1.7, fill="ink")


def bath_tub(c: Canvas) -> None:
    """A baby's bath tub with foam and a yellow duck."""
    for x, y, radius in ((24, 44, 8), (36, 40, 9), (72, 41, 9), (82, 45, 6), (50, 44, 8)):
        c.disc(x, y, radius, fill=(232, 244, 250))
    c.blob((42, 36), (54, 31), (66, 36), (64, 47), (46, 48), fill=(250, 208, 70))
    c.disc(47, 27, 8, fill=(250, 208, 70))
    c.polygon((40, 26), (33, 29), (41, 32), fill=(236, 126, 44))
    c.disc(45, 25, 1.5, fill="ink")
    c.polygon((8, 46), (92, 46), (86, 72), (76, 82), (24, 82), (14, 72))
    c.box(4, 44, 96, 51, 3.5, fill="dark")
    for x in (22, 70):
        c.box(x, 81, x + 9, 90, 3, fill="steel")


def cot(c: Canvas) -> None:
    """A cot: wooden bars, posts, a mattress and a blanket over the rail."""
    c.box(12, 62, 88, 76, 2, fill="paper")
    for x in range(18, 86, 8):
        c.line((x, 34), (x, 78), width=2.2, fill="wood")
    c.box(8, 29, 92, 35, 2, fill="wood")
    c.box(8, 76, 92, 83, 2, fill="wood")
    for x in (6, 88):
        c.box(x, 18, x + 6, 92, 2, fill=(150, 106, 66))
        c.disc(x + 3, 17, 4.2, fill=(150, 106, 66))
    c.polygon((28, 28), (74, 28), (75, 66), (64, 63), (52, 67), (40, 63), (27, 66))
    c.line((28, 29), (74, 29), width=2)
