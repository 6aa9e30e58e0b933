// Package pagetest checks the pages of package page: whether they are sound HTML, and
// whether the texts of all languages are complete.
package pagetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Check holds what is true of every page, whatever it shows: it says its language, has
// a title and one heading of the first degree, skips no degree, says of every head of a
// table what it heads and of every picture what it shows, and needs nothing else: no
// script, no style of another file, no link to elsewhere.
func Check(tb testing.TB, page []byte) {
	tb.Helper()
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		tb.Error(err)
		return
	}
	c := checker{ids: map[string]bool{}}
	c.balanced(page)
	c.walk(doc)
	if c.lang == "" {
		c.wrong("no lang at <html>")
	}
	if strings.TrimSpace(c.title) == "" {
		c.wrong("no title")
	}
	if c.firsts != 1 {
		c.wrong("%d headings of the first degree, expected 1", c.firsts)
	}
	for _, r := range c.refs {
		if !c.ids[r] {
			c.wrong("reference to %q, which does not exist", r)
		}
	}
	for _, s := range []string{"url(", "@import", "<script", "javascript:", "%!"} {
		if bytes.Contains(page, []byte(s)) {
			c.wrong("%q in the page", s)
		}
	}
	for _, m := range c.mistakes {
		tb.Error(m)
	}
}

type checker struct {
	lang, title string
	firsts      int // headings of the first degree
	degree      int // of the last heading
	ids         map[string]bool
	refs        []string
	mistakes    []string
}

func (c *checker) wrong(format string, args ...any) {
	if m := fmt.Sprintf(format, args...); !slices.Contains(c.mistakes, m) {
		c.mistakes = append(c.mistakes, m)
	}
}

// voids are elements that have no end.
var voids = []string{"meta", "br", "hr", "input", "col", "wbr"}

// balanced holds that every element is closed where it was opened; the parser mends
// that silently.
func (c *checker) balanced(page []byte) {
	var open []string
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				c.wrong("not closed: %v", open)
			}
			return
		case html.StartTagToken:
			name, _ := z.TagName()
			if !slices.Contains(voids, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				c.wrong("</%s> where %v is open", name, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

func (c *checker) walk(n *html.Node) {
	if n.Type == html.ElementNode {
		c.element(n)
	}
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		c.walk(k)
	}
}

func (c *checker) element(n *html.Node) {
	attr := map[string]string{}
	for _, a := range n.Attr {
		attr[a.Key] = a.Val
		outside := (a.Key == "href" || a.Key == "xlink:href") && !strings.HasPrefix(a.Val, "#")
		if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || outside {
			c.wrong("<%s %s=%q>", n.Data, a.Key, a.Val)
		}
	}
	if id := attr["id"]; id != "" {
		if c.ids[id] {
			c.wrong("id %q twice", id)
		}
		c.ids[id] = true
	}
	c.refs = append(c.refs, strings.Fields(attr["aria-labelledby"])...)
	if h := attr["href"]; h != "" {
		c.refs = append(c.refs, strings.TrimPrefix(h, "#"))
	}
	switch n.Data {
	case "html":
		c.lang = attr["lang"]
	case "title":
		if n.Parent.Data == "head" {
			c.title = text(n)
		}
	case "script", "link", "iframe", "img", "object", "embed", "image", "use", "base", "form":
		c.wrong("<%s> in the page", n.Data)
	case "h1", "h2", "h3", "h4":
		c.heading(n)
	case "table":
		c.table(n)
	case "th":
		if attr["scope"] == "" {
			c.wrong("<th> without scope: %q", text(n))
		}
	case "svg":
		if attr["role"] != "img" || len(strings.Fields(attr["aria-labelledby"])) != 2 {
			c.wrong("picture without title and description: %v", attr)
		}
	}
}

func (c *checker) heading(n *html.Node) {
	degree := int(n.Data[1] - '0')
	if degree == 1 {
		c.firsts++
	}
	if degree > c.degree+1 {
		c.wrong("<%s> %q after a heading of degree %d", n.Data, text(n), c.degree)
	}
	c.degree = degree
	if strings.TrimSpace(text(n)) == "" {
		c.wrong("empty <%s>", n.Data)
	}
}

// table holds that a table has a head, and as many cells in each row.
func (c *checker) table(n *html.Node) {
	columns := -1
	var rows func(*html.Node)
	rows = func(n *html.Node) {
		for k := n.FirstChild; k != nil; k = k.NextSibling {
			switch k.Data {
			case "thead", "tbody":
				rows(k)
			case "tr":
				cells := 0
				for d := k.FirstChild; d != nil; d = d.NextSibling {
					if d.Data == "td" || d.Data == "th" {
						cells++
					}
				}
				if columns >= 0 && cells != columns {
					c.wrong("a row of %d cells in a table of %d columns: %q", cells, columns, text(k))
				}
				columns = cells
			}
		}
	}
	rows(n)
	if !strings.Contains(c.render(n), "<thead>") {
		c.wrong("a table without <thead>: %q", text(n))
	}
}

func (c *checker) render(n *html.Node) string {
	var b strings.Builder
	if err := html.Render(&b, n); err != nil {
		c.wrong("%v", err)
	}
	return b.String()
}

// text is what an element says.
func text(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		b.WriteString(text(k))
	}
	return b.String()
}
