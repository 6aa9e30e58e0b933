package report

import (
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Sizes of the pictures in SVG units; the page scales them to its width.
const (
	pictureWidth = 760.0
	labelWidth   = 170.0
	rowHeight    = 34.0
	barHeight    = 16.0
	textWidth    = 176.0 // for the figures right of the bars
	nodeWidth    = 12.0
	nodeGap      = 16.0
	nodeLeast    = 14.0
	flowHeight   = 220.0 // of all nodes of the fuller side together
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

func drawBars(fills []Fill) *bars {
	most := 1
	for _, f := range fills {
		most = max(most, f.Capacity, f.After, f.Peak, f.Before)
	}
	scale := (pictureWidth - labelWidth - textWidth) / float64(most)
	p := &bars{Width: pictureWidth, Height: rowHeight*float64(len(fills)) + 8, Title: "How full the contexts are"}
	var desc []string
	for i, f := range fills {
		b := bar{
			X: labelWidth, Y: 8 + rowHeight*float64(i), Height: barHeight,
			Track: float64(f.Capacity) * scale, Fill: float64(f.After) * scale,
			Before: labelWidth + float64(f.Before)*scale,
			Label:  shorten(f.Name, 22), Figures: fmt.Sprintf("%s of %s (%s)", thousands(f.After), thousands(f.Capacity),
				percent(f.After, f.Capacity)),
			Class: "fill",
		}
		b.TextY = b.Y + barHeight - 3
		if f.Peak > 0 {
			b.Peak = labelWidth + float64(f.Peak)*scale
		}
		switch {
		case f.After > f.Capacity:
			b.Class = "fill over"
		case f.After*100 >= f.Capacity*95:
			b.Class = "fill tight"
		}
		p.Rows = append(p.Rows, b)
		desc = append(desc, fmt.Sprintf("%s: %d before, %d after, of %d", f.Name, f.Before, f.After, f.Capacity))
	}
	p.Desc = strings.Join(desc, "; ") + "."
	return p
}

// ribbons is the picture of who went where.
type ribbons struct {
	Width, Height float64
	Title, Desc   string
	Nodes         []node
	Bands         []band
}

type node struct {
	X, Y, Width, Height float64
	TextX, TextY        float64
	Anchor, Label       string
	Class               string
}

type band struct {
	Path, Label, Class string
}

func drawFlows(m matrix, names map[schoolmail.ContextID]string) *ribbons {
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
	scale := flowHeight / float64(max(1, total))
	p := &ribbons{Width: pictureWidth, Title: "Who moved where"}
	const leftX, rightX = labelWidth, pictureWidth - labelWidth - nodeWidth

	// Where the next band of each node begins.
	leftY, rightY := map[schoolmail.ContextID]float64{}, map[schoolmail.ContextID]float64{}
	column := func(ids []schoolmail.ContextID, sums, ys map[schoolmail.ContextID]float64, x, textX float64, anchor,
		outside string) {
		y := 8.0
		for _, id := range ids {
			h := max(nodeLeast, sums[id]*scale)
			ys[id] = y + (h-sums[id]*scale)/2
			n := node{X: x, Y: y, Width: nodeWidth, Height: h, TextX: textX, TextY: y + h/2 + 4, Anchor: anchor, Class: "node"}
			n.Label = fmt.Sprintf("%s: %s", shorten(side(id, names, outside), 14), thousands(int(sums[id])))
			if id == 0 {
				n.Class = "node outside"
			}
			p.Nodes = append(p.Nodes, n)
			y += h + nodeGap
		}
		p.Height = max(p.Height, y-nodeGap+8)
	}
	column(m.From, left, leftY, leftX, leftX-8, "end", "new")
	column(m.To, right, rightY, rightX, rightX+nodeWidth+8, "start", "gone")

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
			b.Label = fmt.Sprintf("%s to %s: %d", side(from, names, "new"), side(to, names, "gone"), n)
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
	return fmt.Sprintf("M%s %s C%s %s %s %s %s %s L%s %s C%s %s %s %s %s %s Z",
		num(x1), num(y1), num(mid), num(y1), num(mid), num(y2), num(x2), num(y2),
		num(x2), num(y2+h), num(mid), num(y2+h), num(mid), num(y1+h), num(x1), num(y1+h))
}

// num writes a coordinate with at most one decimal.
func num(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

// thousands groups digits the Swiss way: 32’000.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "’" + s[i:]
	}
	return s
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
