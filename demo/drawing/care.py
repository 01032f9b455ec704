"""What people and their pets are cared for with: beauty and pet."""

from demo.drawing.canvas import Canvas


def cream_jar(c: Canvas) -> None:
    """A low wide jar of cream with a metal lid and a label."""
    c.box(14, 44, 86, 86, 10)
    c.box(18, 22, 82, 46, 5, fill="metal")
    c.box(18, 30, 82, 33, fill="light")
    for x in range(22, 82, 5):
        c.line((x, 35), (x, 44), width=0.9, fill="steel")
    c.oval(36, 55, 64, 77, fill="paper")
    c.line((42, 64), (58, 64), width=1.8)
    c.line((45, 69), (55, 69), width=1.4, fill="steel")


def lipstick(c: Canvas) -> None:
    """An open lipstick beside its cap."""
    c.polygon((30, 36), (30, 22), (46, 9), (48, 12), (48, 36), fill="plain")
    c.polygon((30, 22), (46, 9), (48, 12), (41, 22), fill="light")
    c.box(28, 34, 50, 54, 1, fill="gold")
    c.box(24, 52, 54, 92, 2)
    c.box(24, 52, 54, 56, fill="ink")
    c.box(62, 48, 86, 92, 3)
    c.box(62, 85, 86, 92, 2, fill="gold")


def shampoo_bottle(c: Canvas) -> None:
    """A tall bottle with a pump and a label of curling hair."""
    c.box(46, 10, 54, 24, fill="steel")
    c.polygon((26, 9), (58, 7), (60, 14), (30, 14), (26, 17), fill="ink")
    c.box(38, 20, 62, 30, 2, fill="ink")
    c.blob((34, 30), (50, 28), (66, 30), (72, 40), (72, 70), (70, 93), (50, 95), (30, 93), (28, 70), (28, 40))
    c.box(36, 46, 64, 82, 3, fill="paper")
    for x in (43, 50, 57):
        c.curve((x, 51), (x + 4, 57), (x - 4, 65), (x + 3, 72), (x, 78), width=1.8)


def perfume_bottle(c: Canvas) -> None:
    """A square flacon: faceted glass, gold collar, bulb with a hose."""
    c.curve((56, 22), (72, 18), (84, 26), (84, 38), width=1.8, fill="steel")
    c.oval(76, 36, 92, 54, fill="dark")
    c.box(42, 24, 58, 38, fill="gold")
    c.box(39, 14, 61, 27, 3, fill="gold")
    c.polygon((22, 38), (70, 38), (78, 46), (78, 92), (14, 92), (14, 46), fill="glass")
    c.polygon((24, 54), (68, 54), (68, 84), (24, 84))
    c.polygon((24, 48), (68, 48), (68, 54), (24, 54), fill="paper")
    c.line((22, 38), (24, 48), (24, 84), (14, 92), width=1, fill="steel")
    c.line((70, 38), (68, 48), (68, 84), (78, 92), width=1, fill="steel")


def sun_tube(c: Canvas) -> None:
    """A tube of sun cream standing on its cap, a sun on its front."""
    c.polygon((22, 8), (78, 8), (66, 76), (34, 76))
    c.box(21, 6, 79, 13, 1, fill="dark")
    c.box(35, 75, 65, 93, 2, fill="paper")
    c.line((40, 79), (40, 90), width=1, fill="metal")
    c.line((60, 79), (60, 90), width=1, fill="metal")
    c.disc(50, 38, 15, fill="paper")
    c.disc(50, 38, 7, fill=(250, 190, 50))
    for dx, dy in ((0, 1), (1, 0), (0.7, 0.7), (0.7, -0.7)):
        for sign in (1, -1):
            near, far = sign * 9, sign * 13
            c.line((50 + dx * near, 38 + dy * near), (50 + dx * far, 38 + dy * far), width=2, fill=(250, 190, 50))


def cat_bowl(c: Canvas) -> None:
    """A cat behind a bowl with a fish on it."""
    fur = (92, 84, 80)
    c.polygon((30, 30), (32, 6), (48, 20), fill=fur)
    c.polygon((70, 30), (68, 6), (52, 20), fill=fur)
    c.oval(27, 15, 73, 60, fill=fur)
    for x in (40, 60):
        c.oval(x - 4, 30, x + 4, 40, fill=(190, 214, 96))
        c.oval(x - 1.4, 30, x + 1.4, 40, fill="ink")
    c.polygon((47, 44), (53, 44), (50, 48), fill=(226, 150, 150))
    for y in (43, 48):
        c.line((20, y), (42, 46), width=0.8, fill="paper")
        c.line((80, y), (58, 46), width=0.8, fill="paper")
    c.polygon((14, 58), (86, 58), (94, 90), (6, 90))
    c.oval(14, 51, 86, 65, fill="dark")
    c.oval(19, 53, 81, 63, fill=(150, 96, 60))
    c.oval(32, 70, 60, 84, fill="paper")
    c.polygon((57, 77), (70, 70), (70, 84), fill="paper")
    c.disc(39, 75, 1.5, fill="ink")


def dog_bowl(c: Canvas) -> None:
    """A heaped dog bowl with a bone on it and a bone in it."""
    for i, (x, y) in enumerate(((26, 46), (36, 40), (47, 37), (58, 39), (68, 42), (76, 47), (42, 46), (54, 46), (64, 49), (32, 50))):
        c.disc(x, y, 7, fill=(158, 104, 62) if i % 2 else (132, 84, 50))
    bone(c, 62, 24, 15, 4)
    c.polygon((12, 50), (88, 50), (97, 88), (3, 88))
    c.box(9, 47, 91, 55, 4, fill="dark")
    c.box(1, 84, 99, 91, 3, fill="dark")
    bone(c, 50, 70, 17, 4.6)


def bone(c: Canvas, x: float, y: float, half: float, radius: float) -> None:
    """A white bone around a point."""
    c.line((x - half, y), (x + half, y), width=radius * 1.7, fill="paper")
    for dx in (-half, half):
        for dy in (-radius, radius):
            c.disc(x + dx, y + dy * 0.9, radius, fill="paper")


def pet_bed(c: Canvas) -> None:
    """A round pet bed from above the rim, a paw print on its cushion."""
    c.oval(4, 26, 96, 88)
    c.oval(4, 26, 96, 84, fill="dark")
    c.oval(6, 24, 94, 82)
    c.oval(20, 34, 80, 70, fill="dark")
    c.oval(22, 38, 78, 70, fill="paper")
    c.oval(42, 52, 58, 64, fill="steel")
    for x, y in ((38, 52), (45, 46), (55, 46), (62, 52)):
        c.oval(x - 3.4, y - 3, x + 3.4, y + 3, fill="steel")


def rope_ball(c: Canvas) -> None:
    """A ball on a knotted rope."""
    c.curve((62, 38), (74, 24), (88, 18), width=5, fill=(226, 208, 172))
    c.disc(82, 20, 5, fill=(206, 184, 142))
    for x, y in ((95, 11), (96, 18), (94, 24)):
        c.line((86, 18), (x, y), width=1.8, fill=(226, 208, 172))
    c.disc(44, 56, 35)
    c.arc(-12, 22, 38, 92, 300, 420, 2.6, fill="paper")
    c.arc(50, 20, 100, 90, 120, 240, 2.6, fill="paper")
    c.disc(66, 36, 5, fill="ink")


def brush(c: Canvas) -> None:
    """A grooming brush: bristles on a head, a long handle, a tuft of fur."""
    for x in range(16, 62, 5):
        c.line((x, 40), (x - 1, 62), width=1.7, fill="steel")
        c.disc(x - 1, 62, 1.6, fill="ink")
    c.curve((14, 60), (26, 67), (38, 59), (50, 68), (60, 61), width=3, fill=(196, 164, 124))
    c.box(8, 24, 66, 44, 9)
    c.polygon((62, 27), (74, 33), (94, 56), (97, 66), (89, 69), (66, 44))
    c.line((70, 38), (90, 61), width=2.4, fill="dark")
    c.disc(90, 62, 2, fill="paper")
