package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/page"
)

// Sizes of the pictures in SVG units. They are as wide as a telephone, where a unit is
// a pixel; elsewhere the page makes them a little larger.
const (
	pictureWidth = 340.0
	lineLetters  = 50 // so many have room across a picture
	sideLetters  = 13 // and beside a flow
	rowHeight    = 42.0
	barHeight    = 14.0
	sideWidth    = 98.0 // for names left and right of a flow
	nodeWidth    = 10.0
	nodeGap      = 14.0
	nodeLeast    = 30.0  // room for two lines of text
	personHeight = 8.0   // at most, of one person in a flow
	flowHeight   = 200.0 // of all nodes of the fuller side together
)

// bars is the picture of how full the contexts are.
type bars struct {
	Width, Height float64
	Title, Desc   string
	Rows          []bar
}

// bar is one context: a track as long as the largest capacity asks for, the
// fill, and marks where it was before and where it was fullest.
type bar struct {
	Y, TextY, X           float64
	Track, Fill           float64
	Before, Peak          float64 // x of the marks; Peak 0: none
	Height                float64
	Label, Figures, Class string
}

func drawBars(t page.Texts, fills []Fill) *bars {
	most := 1
	for _, f := range fills {
		most = max(most, f.Capacity, f.After, f.Peak, f.Before)
	}
	scale := pictureWidth / float64(most)
	p := &bars{Width: pictureWidth, Height: rowHeight * float64(len(fills)), Title: t.Say("fill.title")}
	var desc []string
	for i, f := range fills {
		y := rowHeight * float64(i)
		b := bar{
			TextY: y + 14, Y: y + 20, Height: barHeight,
			Track: float64(f.Capacity) * scale, Fill: float64(f.After) * scale, Before: float64(f.Before) * scale,
			Figures: t.Say("fill.figures", f.After, f.Capacity, page.Percent(f.After, f.Capacity)), Class: fillClass(f),
		}
		b.Label = shorten(f.Name, fitting(b.Figures))
		if f.Peak > 0 {
			b.Peak = float64(f.Peak) * scale
		}
		p.Rows = append(p.Rows, b)
		desc = append(desc, t.Say("fill.desc", f.Name, f.Before, f.After, f.Capacity))
	}
	p.Desc = strings.Join(desc, "; ") + "."
	return p
}

func fillClass(f Fill) string {
	switch {
	case f.After > f.Capacity:
		return "fill over"
	case f.After*100 >= f.Capacity*95:
		return "fill tight"
	}
	return "fill"
}

// fitting is how many letters have room left of other ones.
func fitting(other string) int {
	return max(6, lineLetters-len([]rune(other))-2)
}

// ribbons is the picture of who went where.
type ribbons struct {
	Width, Height float64
	Title, Desc   string
	Nodes         []node
	Bands         []band
}

type node struct {
	X, Y, Width, Height   float64
	TextX, TextY, NumberY float64
	Anchor, Label, Number string
	Class                 string
}

type band struct {
	Path, Label, Class string
}

func drawFlows(t page.Texts, m matrix, names map[schoolmail.ContextID]string) *ribbons {
	left, right := map[schoolmail.ContextID]float64{}, map[schoolmail.ContextID]float64{}
	total := 0
	for _, from := range m.From {
		for _, to := range m.To {
			n := m.People(from, to)
			total += n
			left[from] += float64(n)
			right[to] += float64(n)
		}
	}
	scale := min(flowHeight/float64(max(1, total)), personHeight)
	p := &ribbons{Width: pictureWidth, Title: t.Say("moves.title")}
	const leftX, rightX = sideWidth, pictureWidth - sideWidth - nodeWidth

	// Where the next band of each node begins.
	leftY, rightY := map[schoolmail.ContextID]float64{}, map[schoolmail.ContextID]float64{}
	column := func(ids []schoolmail.ContextID, sums, ys map[schoolmail.ContextID]float64, x, textX float64, anchor,
		outside string) {
		y := 4.0
		for _, id := range ids {
			h := max(nodeLeast, sums[id]*scale)
			ys[id] = y + (h-sums[id]*scale)/2
			n := node{X: x, Y: y, Width: nodeWidth, Height: h, TextX: textX, TextY: y + h/2 - 3, NumberY: y + h/2 + 12,
				Anchor: anchor, Class: "node", Number: page.Thousands(int(sums[id])),
				Label: shorten(side(t, id, names, outside), sideLetters)}
			if id == 0 {
				n.Class = "node outside"
			}
			p.Nodes = append(p.Nodes, n)
			y += h + nodeGap
		}
		p.Height = max(p.Height, y-nodeGap+4)
	}
	fresh, gone := t.Say("moves.new"), t.Say("moves.gone")
	column(m.From, left, leftY, leftX, leftX-6, "end", fresh)
	column(m.To, right, rightY, rightX, rightX+nodeWidth+6, "start", gone)

	var desc []string
	for _, from := range m.From {
		for _, to := range m.To {
			n := m.People(from, to)
			if n == 0 {
				continue
			}
			h := float64(n) * scale
			b := band{Path: bandPath(leftX+nodeWidth, leftY[from], rightX, rightY[to], h), Class: "band"}
			switch {
			case from == 0:
				b.Class = "band in"
			case to == 0:
				b.Class = "band out"
			}
			b.Label = t.Say("moves.band", side(t, from, names, fresh), side(t, to, names, gone), n)
			desc = append(desc, b.Label)
			p.Bands = append(p.Bands, b)
			leftY[from] += h
			rightY[to] += h
		}
	}
	p.Desc = strings.Join(desc, "; ") + "."
	return p
}

// bandPath draws a band of height h from a point left to a point right. Very
// thin ones are made wide enough to be seen.
func bandPath(x1, y1, x2, y2, h float64) string {
	if h < 1 {
		y1, y2, h = y1-(1-h)/2, y2-(1-h)/2, 1
	}
	mid := (x1 + x2) / 2
	num := page.Coordinate
	return fmt.Sprintf("M%s %s C%s %s %s %s %s %s L%s %s C%s %s %s %s %s %s Z",
		num(x1), num(y1), num(mid), num(y1), num(mid), num(y2), num(x2), num(y2),
		num(x2), num(y2+h), num(mid), num(y2+h), num(mid), num(y1+h), num(x1), num(y1+h))
}

// side names one end of a flow.
func side(t page.Texts, id schoolmail.ContextID, names map[schoolmail.ContextID]string, outside string) string {
	if id == 0 {
		return outside
	}
	return cmp.Or(names[id], t.Say("context.number", fmt.Sprint(int(id))))
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
