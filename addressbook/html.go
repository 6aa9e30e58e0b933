package addressbook

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// WriteHTML draws which book exists in which context for whom, as one page
// without links to anything outside. It has numbers and titles, no people.
func WriteHTML(w io.Writer, rules Rules, d Desired) error {
	if err := page.Execute(w, newPage(rules, d)); err != nil {
		return fmt.Errorf("addressbook: write HTML: %w", err)
	}
	return nil
}

type pageData struct {
	Contexts []contextHead
	Rules    []ruleRow
	Schools  []schoolTable
	Findings []string
}

type contextHead struct {
	ID     schoolmail.ContextID
	People int
}

type ruleRow struct {
	Name    string
	Listed  string
	Readers []string
	Place   string
	List    string
	Cells   []ruleCell
}

type ruleCell struct {
	Books   int
	Entries int
	Readers int // people who read at least one
}

type schoolTable struct {
	Name string
	Rows []bookRow
}

type bookRow struct {
	Title  string
	People int
	Cells  []int // readers per context; 0: no book there
}

func newPage(rules Rules, d Desired) pageData {
	p := pageData{}
	for _, c := range d.Contexts {
		p.Contexts = append(p.Contexts, contextHead{c.Context, len(c.Logins)})
	}
	for _, rule := range rules.Books {
		p.Rules = append(p.Rules, newRuleRow(rule, d))
	}
	p.Schools = schoolTables(rules, d)
	for _, f := range d.Findings {
		p.Findings = append(p.Findings, f.String())
	}
	return p
}

func newRuleRow(rule BookRule, d Desired) ruleRow {
	row := ruleRow{Name: rule.Name, Listed: roleNames(rule.Roles), Place: strings.Join(rule.Folder, " / "),
		List: rule.List}
	for _, rd := range rule.Readers {
		of := map[Scope]string{District: "of the district", PerSchool: "of the school", PerClass: "of the class"}[rd.Of]
		row.Readers = append(row.Readers, roleNames(rd.Roles)+" "+of)
	}
	for _, c := range d.Contexts {
		var cell ruleCell
		readers := map[string]bool{}
		for _, b := range c.Books {
			if b.Rule != rule.Name {
				continue
			}
			cell.Books++
			cell.Entries += b.People()
			for _, a := range b.Readers {
				for _, u := range a.Users {
					readers[u] = true
				}
			}
		}
		cell.Readers = len(readers)
		row.Cells = append(row.Cells, cell)
	}
	return row
}

func roleNames(roles []schoolmail.Role) string {
	var names []string
	for _, r := range roles {
		names = append(names, map[schoolmail.Role]string{
			schoolmail.RolePupil: "pupils", schoolmail.RoleTeacher: "teachers", schoolmail.RoleStaff: "staff",
		}[r])
	}
	return strings.Join(names, ", ")
}

func schoolTables(rules Rules, d Desired) []schoolTable {
	names := map[schoolmail.SchoolID]string{"": "District"}
	for _, s := range rules.Schools {
		names[s.ID] = s.Name
	}
	rows := map[schoolmail.SchoolID]map[string]*bookRow{}
	for i, c := range d.Contexts {
		for _, b := range c.Books {
			if rows[b.School] == nil {
				rows[b.School] = map[string]*bookRow{}
			}
			row := rows[b.School][b.Key]
			if row == nil {
				row = &bookRow{Title: strings.Join(b.Path, " / "), People: b.People(), Cells: make([]int, len(d.Contexts))}
				rows[b.School][b.Key] = row
			}
			for _, a := range b.Readers {
				row.Cells[i] += len(a.Users)
			}
		}
	}
	var tables []schoolTable
	for id, books := range rows {
		t := schoolTable{Name: cmp.Or(names[id], string(id))}
		for _, k := range slices.Sorted(maps.Keys(books)) {
			t.Rows = append(t.Rows, *books[k])
		}
		slices.SortStableFunc(t.Rows, func(a, b bookRow) int { return cmp.Compare(a.Title, b.Title) })
		tables = append(tables, t)
	}
	slices.SortFunc(tables, func(a, b schoolTable) int { return cmp.Compare(a.Name, b.Name) })
	return tables
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Address books</title>
<style>
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#1c2733;background:#fff}
h1{font-size:1.6em}h2{font-size:1.15em;margin-top:2em}
table{border-collapse:collapse;margin:.6em 0;width:100%}
th,td{border:1px solid #cfd8e0;padding:.35em .55em;text-align:left;vertical-align:top}
th{background:#eef3f7;font-weight:600}
td.n{text-align:right;font-variant-numeric:tabular-nums}
td.yes{background:#e3f2e6}td.no{color:#9aa7b2;text-align:center}
small{color:#5a6b7a}details{margin:.4em 0}summary{cursor:pointer;font-weight:600}
li.finding{color:#8a3b00}
</style></head><body>
<h1>Address books: which exists in which context, for whom</h1>
<p>A book exists in a context only if somebody there may read it. Nobody but the service account can change ` +
	`anything.</p>
<h2>Kinds of book</h2>
<table><tr><th>Kind</th><th>Listed</th><th>Readable by</th>{{range .Contexts}}<th>Context {{.ID}}<br><small>` +
	`{{.People}} people</small></th>{{end}}</tr>
{{range .Rules}}<tr><td><b>{{.Name}}</b><br><small>{{.Place}}{{if .List}}<br>list: {{.List}}{{end}}</small></td>` +
	`<td>{{.Listed}}</td><td>{{range .Readers}}{{.}}<br>{{end}}</td>
{{range .Cells}}{{if .Books}}<td class="yes">{{.Books}} books, {{.Entries}} entries<br><small>{{.Readers}} ` +
	`readers</small></td>{{else}}<td class="no">none</td>{{end}}{{end}}</tr>
{{end}}</table>
{{$contexts := .Contexts}}
<h2>Books of each school</h2>
<p>The numbers are the people who can read the book in that context.</p>
{{range .Schools}}<details><summary>{{.Name}}</summary>
<table><tr><th>Book</th><th>Entries</th>{{range $contexts}}<th>Context {{.ID}}</th>{{end}}</tr>
{{range .Rows}}<tr><td>{{.Title}}</td><td class="n">{{.People}}</td>{{range .Cells}}{{if .}}<td class="n yes">` +
	`{{.}}</td>{{else}}<td class="no">none</td>{{end}}{{end}}</tr>
{{end}}</table></details>
{{end}}
{{if .Findings}}<h2>Findings</h2><ul>{{range .Findings}}<li class="finding">{{.}}</li>{{end}}</ul>{{end}}
</body></html>
`))
