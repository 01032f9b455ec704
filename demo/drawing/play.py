"""What is read and played with: books and toys."""

from demo.drawing.canvas import HOLE, Canvas, Fill


def _book(c: Canvas, x0: float, y0: float, x1: float, y1: float, thick: float = 7) -> None:
    """A closed book, seen a little from the right and below: cover, spine, page edges."""
    c.polygon((x1, y0), (x1 + thick, y0 + thick * 0.7), (x1 + thick, y1 + thick * 0.7), (x1, y1), fill="paper")
    c.polygon((x0, y1), (x1, y1), (x1 + thick, y1 + thick * 0.7), (x0 + thick, y1 + thick * 0.7), fill="paper")
    for step in (0.35, 0.7):
        d = thick * step
        c.line((x1 + d, y0 + d * 0.7), (x1 + d, y1 + d * 0.7), width=0.7, fill="metal")
    c.box(x0, y0, x1, y1, 1.5)
    c.box(x0, y0, x0 + 6, y1, 1, fill="dark")


def novel(c: Canvas) -> None:
    """A novel: a moon over a lonely house on its cover, a ribbon below."""
    _book(c, 22, 8, 74, 86)
    c.line((58, 84), (60, 97), width=3, fill=(206, 60, 66))
    c.box(33, 14, 69, 26, 1, fill="paper")
    c.line((38, 18), (64, 18), width=1.8, fill="ink")
    c.line((43, 22), (59, 22), width=1.3, fill="steel")
    c.disc(51, 54, 18, fill=(30, 38, 70))
    c.disc(56, 48, 6.5, fill=(250, 236, 180))
    c.disc(59, 46, 5.5, fill=(30, 38, 70))
    c.polygon((40, 66), (40, 58), (46, 52), (52, 58), (52, 67), (47, 70), fill="ink")
    c.box(44, 60, 48, 64, fill=(250, 214, 96))


def picture_book(c: Canvas) -> None:
    """An open picture book: a painted landscape across both pages."""
    c.polygon((2, 26), (50, 32), (98, 26), (98, 84), (50, 90), (2, 84))
    for x0, x1 in ((6, 49), (94, 51)):
        c.polygon((x0, 22), (x1, 28), (x1, 84), (x0, 78), fill="paper")
        c.polygon((x0 + (4 if x0 < 50 else -4), 28), (x1, 33), (x1, 78), (x0 + (4 if x0 < 50 else -4), 73), fill=(176, 222, 244))
    c.disc(24, 42, 7, fill=(252, 206, 70))
    c.polygon((10, 72), (10, 62), (26, 54), (49, 66), (49, 78), fill=(126, 190, 110))
    c.polygon((51, 78), (51, 64), (72, 54), (90, 62), (90, 73), fill=(96, 164, 96))
    c.box(68, 54, 71, 66, fill=(120, 82, 50))
    c.disc(69.5, 48, 8, fill=(232, 112, 96))
    c.line((50, 28), (50, 86), width=1.4, fill="metal")


def cookbook(c: Canvas) -> None:
    """A ring-bound cookbook: a chef's hat over a fork and a spoon."""
    c.box(18, 8, 84, 92, 3)
    for y in range(14, 90, 9):
        c.disc(24, y, 2, fill="paper")
        c.arc(10, y - 3, 25, y + 3, 90, 300, 1.8, fill="steel")
    c.disc(54, 56, 25, fill="paper")
    c.disc(54, 56, 20, fill=(232, 232, 228))
    for x in (45, 54, 63):
        c.disc(x, 46 if x == 54 else 49, 7.5, fill="paper")
    c.box(45, 48, 63, 64, 1, fill="paper")
    c.line((45, 60), (63, 60), width=1.6, fill="steel")
    c.line((35, 22), (35, 88), width=2.6, fill="steel")
    for dx in (-4, 0, 4):
        c.line((35 + dx, 16), (35 + dx, 28), width=1.4, fill="steel")
    c.line((74, 34), (74, 88), width=2.6, fill="steel")
    c.oval(69, 15, 79, 36, fill="steel")


def history_book(c: Canvas) -> None:
    """A thick history book: a temple with columns on its cover, gold bands."""
    _book(c, 12, 10, 72, 80, 16)
    for y in (16, 74):
        c.line((12, y), (72, y), width=2, fill="gold")
    c.box(18, 20, 72, 71, fill="dark")
    c.polygon((22, 38), (45, 24), (68, 38), fill="paper")
    c.box(22, 38, 68, 42, fill="paper")
    for x in (26, 36, 46, 56):
        c.box(x, 43, x + 6, 61, fill="paper")
        c.line((x + 3, 45), (x + 3, 60), width=0.8, fill="metal")
    c.box(20, 61, 70, 67, fill="paper")


def growth_book(c: Canvas) -> None:
    """A book about growing: a sprout on rising steps, an elastic band."""
    _book(c, 20, 8, 78, 88, 4)
    for i in range(4):
        c.box(32 + i * 10, 72 - i * 9, 42 + i * 10, 82, fill="paper")
    c.line((67, 44), (67, 24), width=2.4, fill="leaf")
    c.blob((67, 30), (58, 28), (53, 20), (62, 20), fill="leaf")
    c.blob((67, 26), (74, 24), (76, 14), (68, 17), fill="leaf")
    c.line((34, 60), (52, 42), width=2.6, fill=(240, 150, 40))
    c.polygon((48, 40), (57, 37), (54, 46), fill=(240, 150, 40))
    c.box(71, 8, 74, 88, fill="ink")


def blocks(c: Canvas) -> None:
    """Building blocks with studs: two below, one across."""
    _brick(c, 5, 60, 44, 90, "body", 3)
    _brick(c, 51, 60, 95, 90, "dark", 3)
    _brick(c, 22, 26, 78, 53, "body", 4)


def _brick(c: Canvas, x0: float, y0: float, x1: float, y1: float, fill: Fill, studs: int) -> None:
    pitch = (x1 - x0) / studs
    for i in range(studs):
        middle = x0 + pitch * (i + 0.5)
        c.box(middle - pitch * 0.3, y0 - 7, middle + pitch * 0.3, y0 + 2, 1.5, fill="dark" if fill == "body" else "plain")
    c.box(x0, y0, x1, y1, 1.5, fill=fill)
    c.line((x0 + 1, y1), (x1 - 1, y1), width=1.6, fill="ink")


def puzzle(c: Canvas) -> None:
    """Two jigsaw pieces: one with knobs, one about to join."""
    c.box(8, 34, 56, 82)
    c.disc(32, 29, 9)
    c.disc(61, 58, 9)
    c.disc(32, 78, 8, fill=HOLE)
    c.disc(13, 58, 8, fill=HOLE)
    c.polygon((66, 14), (94, 8), (98, 36), (72, 42), fill="dark")
    c.disc(64, 29, 6, fill="dark")
    c.disc(81, 14, 5, fill=HOLE)


def bear(c: Canvas) -> None:
    """A sitting teddy bear."""
    for x in (32, 68):
        c.disc(x, 18, 10)
        c.disc(x, 18, 5.5, fill="light")
    for x in (26, 74):
        c.oval(x - 12, 48, x + 10, 74)
    c.oval(27, 42, 73, 90)
    c.oval(36, 54, 64, 84, fill="light")
    for x in (28, 72):
        c.disc(x, 84, 11)
        c.disc(x, 84, 6, fill="light")
    c.disc(50, 32, 23)
    c.oval(39, 33, 61, 50, fill="paper")
    c.oval(45, 35, 55, 41, fill="ink")
    c.arc(44, 37, 56, 47, 30, 150, 1.4, fill="ink")
    for x in (40, 60):
        c.disc(x, 27, 2.6, fill="ink")
    c.polygon((50, 55), (38, 50), (38, 60), fill=(214, 66, 74))
    c.polygon((50, 55), (62, 50), (62, 60), fill=(214, 66, 74))


def board_game(c: Canvas) -> None:
    """A board game: a tilted board with a track, two pawns and a die."""
    c.polygon((50, 28), (98, 58), (50, 92), (2, 58))
    c.polygon((50, 42), (76, 58), (50, 76), (24, 58), fill="paper")
    for i in range(5):
        t = i / 5
        for a, b in (((50, 28), (98, 58)), ((98, 58), (50, 92)), ((50, 92), (2, 58)), ((2, 58), (50, 28))):
            x, y = a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t
            c.line((x, y), (x + (50 - x) * 0.42, y + (59 - y) * 0.42), width=1.2, fill="ink")
    for x, y, colour in ((32, 50, (222, 70, 62)), (72, 54, (52, 116, 196))):
        c.polygon((x, y - 22), (x + 8, y + 6), (x - 8, y + 6), fill=colour)
        c.disc(x, y - 24, 6, fill=colour)
    c.box(42, 54, 60, 72, 3, fill="paper")
    c.box(42, 54, 60, 57, 1, fill="metal")
    for x, y in ((46, 60), (51, 63), (56, 68), (46, 68), (56, 60)):
        c.disc(x, y, 1.8, fill="ink")


def ride_on_car(c: Canvas) -> None:
    """A child's ride-on car: low body, seat, steering wheel, four fat wheels."""
    c.line((52, 42), (44, 28), width=2.6, fill="steel")
    c.oval(34, 20, 50, 34, fill="ink")
    c.oval(37, 23, 47, 31, fill="paper")
    c.box(68, 22, 80, 54, 5, fill="dark")
    c.blob((6, 56), (16, 44), (36, 42), (50, 48), (64, 54), (78, 50), (92, 50), (96, 62), (92, 74), (50, 76), (8, 74))
    c.disc(12, 57, 5, fill=(252, 226, 120))
    c.line((28, 50), (28, 70), width=1.3)
    c.line((3, 70), (97, 70), width=4, fill="metal")
    for x in (26, 76):
        c.disc(x, 77, 14, fill="ink")
        c.disc(x, 77, 7, fill="paper")
        c.disc(x, 77, 2.6, fill="plain")
