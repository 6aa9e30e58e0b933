package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/page"
)

// Night is what a run of some day has left behind, for the pictures of the year.
type Night struct {
	Day      string // ISO 8601
	Sum      Sum
	Contexts []Fill
}

// Night sums up an act.
func (a *Act) Night() Night { return Night{Day: a.Day, Sum: a.Sum(), Contexts: a.Contexts} }

// yearView are the pictures of the year, with their figures as tables.
type yearView struct {
	Fill    yearFill
	Steps   yearSteps
	Names   []string // of the contexts
	Periods []period
}

// yearFill is a picture with a row for each context.
type yearFill struct {
	Width, Height, AxisY float64
	Desc, First, Last    string
	Rows                 []yearRow
}

type yearRow struct {
	Y, TextY, Height            float64
	Label, Figures, Path, Class string
}

// yearSteps is a picture with a bar for each day, whose height is the number of its
// digits: nights with three steps and the first one with thousands are both seen.
type yearSteps struct {
	Width, Height, Start, AxisY float64
	Desc                        string
	Lines                       []yearLine
	Bars                        []yearBar
}

type yearLine struct {
	X, Y, TextY float64
	Label       string
}

type yearBar struct {
	X, Y, Width, Height, Middle, DotY float64
	Label                             string
	Failed, Held                      bool
}

// period is a day, or a month.
type period struct {
	Name                     string
	Runs, Done, Failed, Held int
	Users                    []string // in each context at its end
}

const (
	yearRowHeight   = 54.0
	yearAreaHeight  = 28.0
	yearStepsHeight = 120.0
	axisHeight      = 20.0
	// daysOneByOne is up to how many days the tables show each.
	daysOneByOne = 14
)

// viewYear draws the year; nil if there is not more than one day.
func viewYear(t page.Texts, history []Night) *yearView {
	nights := slices.Clone(history)
	slices.SortStableFunc(nights, func(a, b Night) int { return cmp.Compare(a.Day, b.Day) })
	nights = slices.DeleteFunc(nights, func(n Night) bool { return dayNumber(n.Day) == 0 })
	if len(nights) == 0 || nights[0].Day == nights[len(nights)-1].Day {
		return nil
	}
	first, last := nights[0].Day, nights[len(nights)-1].Day
	x := func(day string, left float64) float64 {
		return left + (pictureWidth-left)*float64(dayNumber(day)-dayNumber(first))/float64(dayNumber(last)-dayNumber(first))
	}
	v := &yearView{}
	ids, names := contextsOf(nights)
	for _, id := range ids {
		v.Names = append(v.Names, names[id])
	}
	v.Fill = drawYearFill(t, nights, ids, names, x)
	v.Steps = drawYearSteps(t, nights, x)
	v.Periods = periods(t, nights, ids)
	return v
}

// contextsOf are the contexts of all nights with their latest names.
func contextsOf(nights []Night) ([]schoolmail.ContextID, map[schoolmail.ContextID]string) {
	names := map[schoolmail.ContextID]string{}
	for _, n := range nights {
		for _, f := range n.Contexts {
			names[f.Context] = f.Name
		}
	}
	return slices.Sorted(maps.Keys(names)), names
}

func dayNumber(day string) int {
	d, err := schoolmail.ParseDate(day)
	if err != nil {
		return 0
	}
	return d.Sub(schoolmail.NewDate(2000, time.January, 1))
}

func drawYearFill(t page.Texts, nights []Night, ids []schoolmail.ContextID, names map[schoolmail.ContextID]string,
	x func(string, float64) float64) yearFill {
	first, last := nights[0].Day, nights[len(nights)-1].Day
	p := yearFill{Width: pictureWidth, First: t.Day(first), Last: t.Day(last)}
	along := func(day string) string { return page.Coordinate(0.97 * x(day, 0)) } // the last day has a width, too
	var desc []string
	for i, id := range ids {
		var points []string
		var one, end Fill
		var oneDay, endDay string
		y := yearRowHeight*float64(i) + 20
		for _, n := range nights {
			at := slices.IndexFunc(n.Contexts, func(f Fill) bool { return f.Context == id })
			if at < 0 {
				continue
			}
			end, endDay = n.Contexts[at], n.Day
			if oneDay == "" {
				one, oneDay = end, endDay
			}
			share := float64(end.After) / float64(max(1, end.Capacity))
			height := page.Coordinate(y + yearAreaHeight*(1-min(1, share)))
			if len(points) > 0 {
				points = append(points, "H"+along(n.Day))
			} else {
				points = append(points, fmt.Sprintf("M%s %s", along(n.Day), page.Coordinate(y+yearAreaHeight)))
			}
			points = append(points, "V"+height)
		}
		bottom := page.Coordinate(y + yearAreaHeight)
		row := yearRow{TextY: y - 6, Y: y, Height: yearAreaHeight, Class: fillClass(end),
			Figures: t.Say("fill.figures", end.After, end.Capacity, page.Percent(end.After, end.Capacity)),
			Path:    strings.Join(points, " ") + " H" + page.Coordinate(pictureWidth) + " V" + bottom + " Z"}
		row.Label = shorten(names[id], fitting(row.Figures))
		p.Rows = append(p.Rows, row)
		desc = append(desc, t.Say("year.fill.desc", names[id], t.Day(oneDay), one.After, t.Day(endDay), end.After,
			end.Capacity))
	}
	p.AxisY = yearRowHeight*float64(len(ids)) + 12
	p.Height, p.Desc = p.AxisY+6, strings.Join(desc, "; ")+"."
	return p
}

func drawYearSteps(t page.Texts, nights []Night, x func(string, float64) float64) yearSteps {
	days := map[string]*period{}
	most, top, runs := 0, "", 0
	for _, n := range nights {
		if days[n.Day] == nil {
			days[n.Day] = &period{}
		}
		d := days[n.Day]
		d.add(n.Sum)
		runs++
		if d.Done >= most {
			most, top = d.Done, n.Day
		}
	}
	first, last := nights[0].Day, nights[len(nights)-1].Day
	p := yearSteps{Width: pictureWidth, Start: 50, Height: yearStepsHeight + 12 + axisHeight,
		AxisY: yearStepsHeight + 12 + axisHeight - 5,
		Desc:  t.Say("year.steps.desc", runs, t.Day(first), t.Day(last), t.Day(top), most) + "."}
	decades := max(1, int(math.Ceil(math.Log10(float64(most+1)))))
	height := func(n int) float64 { return yearStepsHeight * math.Log10(float64(n)+1) / float64(decades) }
	bottom := yearStepsHeight + 12
	for i, n := 0, 0; i <= decades; i++ {
		y := bottom - yearStepsHeight*float64(i)/float64(decades)
		p.Lines = append(p.Lines, yearLine{X: p.Start - 6, Y: y, TextY: y + 4, Label: page.Thousands(n)})
		if n *= 10; n == 0 {
			n = 10
		}
	}
	sorted := slices.Sorted(maps.Keys(days))
	gap := pictureWidth
	for i := 1; i < len(sorted); i++ {
		gap = min(gap, x(sorted[i], p.Start)-x(sorted[i-1], p.Start))
	}
	width := min(10, max(1.5, 0.8*gap))
	for _, day := range sorted {
		d := days[day]
		// Bars and dots begin and end within the frame.
		const margin = 5
		middle := p.Start + margin + (x(day, p.Start)-p.Start)*(pictureWidth-p.Start-2*margin)/(pictureWidth-p.Start)
		h := height(d.Done)
		p.Bars = append(p.Bars, yearBar{X: middle - width/2, Width: width, Y: bottom - h, Height: h, Middle: middle,
			DotY: max(4, bottom-h-5), Failed: d.Failed > 0, Held: d.Held > 0,
			Label: fmt.Sprintf("%s: %s", t.Day(day), page.Thousands(d.Done))})
	}
	return p
}

func (p *period) add(s Sum) {
	p.Runs++
	p.Done += s.Done
	p.Failed += s.Failed + s.Skipped
	p.Held += s.Held
}

// periods are the days, or the months where these are many.
func periods(t page.Texts, nights []Night, ids []schoolmail.ContextID) []period {
	days := map[string]bool{}
	for _, n := range nights {
		days[n.Day] = true
	}
	var list []period
	at := ""
	for _, n := range nights {
		name, shown := n.Day, t.Day(n.Day)
		if len(days) > daysOneByOne {
			name = n.Day[:len("2006-01")]
			shown = t.Month(name)
		}
		if name != at {
			at = name
			list = append(list, period{Name: shown, Users: make([]string, len(ids))})
		}
		p := &list[len(list)-1]
		p.add(n.Sum)
		for _, f := range n.Contexts {
			if i := slices.Index(ids, f.Context); i >= 0 {
				p.Users[i] = page.Thousands(f.After)
			}
		}
	}
	return list
}
