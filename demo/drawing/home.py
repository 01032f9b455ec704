"""What stands at home and on its table: home and food."""

from demo.drawing.canvas import Canvas


def bed(c: Canvas) -> None:
    """A made bed seen from its foot: headboard, two pillows, a duvet."""
    c.box(10, 18, 90, 60, 6, fill="wood")
    c.box(16, 24, 84, 50, 4, fill=(150, 106, 66))
    c.blob((18, 48), (20, 38), (32, 36), (46, 38), (48, 48), (34, 52), fill="paper")
    c.blob((52, 48), (54, 38), (66, 36), (80, 38), (82, 48), (68, 52), fill="paper")
    c.polygon((16, 50), (84, 50), (92, 82), (8, 82))
    c.polygon((16, 48), (84, 48), (86, 56), (14, 56), fill="light")
    c.box(6, 80, 94, 87, 2, fill="wood")
    for x in (9, 84):
        c.box(x, 86, x + 7, 94, 1, fill=(150, 106, 66))


def saucepan(c: Canvas) -> None:
    """A saucepan with a long handle and a lid with a knob."""
    c.box(66, 47, 99, 54, 3, fill="ink")
    c.disc(95, 50.5, 1.6, fill="paper")
    c.box(8, 44, 70, 84, 8)
    c.box(6, 40, 72, 47, 3, fill="dark")
    c.polygon((10, 40), (16, 30), (30, 25), (48, 25), (62, 30), (68, 40), fill="metal")
    c.line((20, 33), (34, 29), width=1.6, fill="paper")
    c.box(34, 17, 44, 26, 3, fill="ink")


def table_lamp(c: Canvas) -> None:
    """A table lamp, lit: shade, stem, foot, a pull cord and a pool of light."""
    c.polygon((28, 50), (72, 50), (86, 88), (14, 88), fill=(255, 244, 200))
    c.polygon((36, 10), (64, 10), (80, 50), (20, 50))
    c.line((35, 10), (65, 10), width=2.2)
    c.line((20, 50), (80, 50), width=2.6)
    c.box(47, 50, 53, 86, fill="gold")
    c.disc(50, 66, 5, fill="gold")
    c.oval(30, 82, 70, 93, fill="gold")
    c.line((66, 51), (66, 66), width=1, fill="steel")
    c.disc(66, 68, 2, fill="steel")


def storage_box(c: Canvas) -> None:
    """A lidded storage box with a label holder and a hand hole."""
    c.polygon((12, 40), (74, 40), (74, 88), (12, 88))
    c.polygon((74, 40), (92, 30), (92, 76), (74, 88), fill="dark")
    c.polygon((8, 30), (26, 18), (96, 18), (78, 30), fill="light")
    c.polygon((8, 30), (78, 30), (78, 43), (8, 43), fill="plain")
    c.polygon((78, 30), (96, 18), (96, 31), (78, 43), fill="dark")
    c.line((8, 43), (78, 43), width=1.4)
    c.box(28, 50, 58, 64, 2, fill="paper")
    c.line((33, 55), (53, 55), width=1.4, fill="steel")
    c.line((33, 59), (46, 59), width=1.4, fill="steel")
    c.box(34, 72, 52, 79, 3.5, fill="ink")


def vase(c: Canvas) -> None:
    """A bellied vase with a branch of blossom."""
    c.curve((50, 42), (46, 28), (34, 14), width=1.8, fill=(120, 88, 62))
    c.curve((50, 42), (56, 26), (70, 12), width=1.8, fill=(120, 88, 62))
    c.line((47, 30), (42, 10), width=1.5, fill=(120, 88, 62))
    for x, y in ((34, 14), (42, 9), (38, 22), (70, 12), (62, 20), (55, 12), (72, 22)):
        c.disc(x, y, 4.2, fill=(240, 172, 184))
        c.disc(x, y, 1.4, fill=(250, 226, 120))
    c.blob((42, 38), (58, 38), (58, 46), (72, 60), (74, 74), (62, 92), (50, 94), (38, 92), (26, 74), (28, 60), (42, 46))
    c.oval(40, 34, 60, 42, fill="dark")


def tea_cup(c: Canvas) -> None:
    """A cup of tea on a saucer, steam above it, a tag on a string."""
    for x in (38, 50, 62):
        c.curve((x, 28), (x + 4, 22), (x - 4, 15), (x + 1, 8), width=2.4, fill=(214, 222, 230))
    c.oval(8, 74, 92, 92, fill="light")
    c.oval(12, 74, 88, 87, fill="dark")
    c.arc(66, 42, 94, 68, -100, 110, 5, fill="plain")
    c.polygon((18, 38), (80, 38), (77, 60), (67, 76), (56, 82), (42, 82), (31, 76), (21, 60))
    c.oval(18, 32, 80, 44, fill="dark")
    c.oval(22, 34, 76, 43, fill=(170, 92, 40))
    c.line((36, 38), (34, 54), width=0.9, fill="paper")
    c.polygon((28, 53), (39, 53), (39, 66), (28, 66), fill="paper")
    c.oval(31, 56, 36, 63, fill="leaf")


def coffee_bag(c: Canvas) -> None:
    """A bag of coffee folded at the top, a bean on its label, beans beside it."""
    c.polygon((24, 18), (76, 18), (80, 34), (82, 92), (18, 92), (20, 34))
    c.polygon((24, 8), (76, 8), (76, 20), (24, 20), fill="dark")
    c.line((20, 12), (20, 22), width=2.6, fill="metal")
    c.line((80, 12), (80, 22), width=2.6, fill="metal")
    c.box(32, 40, 68, 80, 2, fill="paper")
    _bean(c, 50, 60, 11)
    for x, y in ((14, 88), (86, 89), (93, 90)):
        _bean(c, x, y, 5)


def _bean(c: Canvas, x: float, y: float, size: float) -> None:
    c.oval(x - size * 0.75, y - size, x + size * 0.75, y + size, fill=(92, 58, 38))
    bend, rise = size * 0.25, size * 0.3
    c.curve((x, y - size), (x + bend, y - rise), (x - bend, y + rise), (x, y + size), width=size * 0.2, fill=(214, 176, 134))


def snack_packet(c: Canvas) -> None:
    """A pillow packet of crisps: crimped ends, a bulging body, a crisp on the front."""
    teeth_top = [(18 + i * 4, 10 if i % 2 else 14) for i in range(17)]
    teeth_bottom = [(82 - i * 4, 90 if i % 2 else 86) for i in range(17)]
    c.polygon(*teeth_top, (82, 20), (86, 35), (87, 50), (86, 65), (82, 80), *teeth_bottom, (18, 80), (14, 65), (13, 50), (14, 35), (18, 20))
    c.polygon(*teeth_top, (82, 20), (18, 20), fill="dark")
    c.polygon(*teeth_bottom, (18, 80), (82, 80), fill="dark")
    c.blob((28, 50), (40, 34), (60, 33), (74, 46), (66, 63), (46, 68), (32, 62), fill=(246, 196, 82))
    c.curve((34, 54), (48, 44), (68, 44), width=1.8, fill=(206, 146, 50))
    for x, y in ((44, 56), (54, 52), (60, 58), (50, 39)):
        c.disc(x, y, 1.5, fill=(206, 146, 50))


def grain_jar(c: Canvas) -> None:
    """A tall glass jar of grain under a cork, with a spoon beside it."""
    c.line((88, 34), (86, 92), width=3, fill="wood")
    c.oval(80, 14, 96, 38, fill="wood")
    c.box(24, 10, 64, 24, 3, fill="wood")
    c.box(16, 22, 72, 94, 8, fill="glass")
    c.box(19, 40, 69, 91, 5, fill=(226, 190, 120))
    for i in range(40):
        x, y = 23 + (i * 17) % 43, 44 + (i * 29) % 45
        c.line((x, y), (x + 2, y + 1.4), width=1.3, fill=(176, 132, 66))
    c.box(16, 48, 72, 80, 1)
    c.oval(36, 56, 52, 72, fill="paper")
    c.curve((44, 70), (44, 64), (46, 58), width=1.4, fill="leaf")
    for y in (61, 65):
        c.oval(39, y - 2, 44, y + 1, fill="leaf")
        c.oval(45, y - 4, 50, y - 1, fill="leaf")


def apple(c: Canvas) -> None:
    """An apple with a stalk and a leaf, and a cut half beside it."""
    c.curve((42, 26), (44, 16), (50, 9), width=3, fill=(112, 78, 48))
    c.blob((46, 18), (56, 10), (68, 12), (60, 22), fill="leaf")
    c.blob((42, 28), (54, 22), (70, 27), (76, 46), (68, 72), (54, 86), (42, 83), (30, 86), (16, 72), (8, 46), (14, 27), (30, 22))
    c.oval(32, 22, 52, 30, fill="dark")
    c.blob((66, 62), (78, 58), (92, 64), (94, 78), (84, 92), (70, 91), (60, 78), fill="plain")
    c.blob((67, 65), (78, 61), (90, 67), (91, 78), (83, 89), (71, 88), (63, 78), fill=(252, 244, 214))
    for x in (75, 81):
        c.oval(x - 1.4, 73, x + 1.4, 79, fill=(92, 58, 38))
