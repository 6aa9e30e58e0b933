package httpapi

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strings"

	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// exportable lists what an export gives: a folder, or the contacts named in the
// body. The caller needs to read all objects of each folder.
func (rq *request) exportable() ([]*state.Contact, *rawReply) {
	refused := htmlPage(http.StatusInternalServerError)
	if !rq.who.user.contacts {
		return nil, refused
	}
	check := func(name string) *state.Folder {
		id, _, problem := rq.folderID(name)
		if problem != nil {
			return nil
		}
		f := rq.who.pim.Folders[id]
		if f == nil || f.Module != "contacts" {
			return nil
		}
		if r := rq.rights(f); r.read < levelAll || r.folder == 0 {
			return nil
		}
		return f
	}
	var list []*state.Contact
	if len(rq.body) > 0 {
		refs, problem := rq.contactRefs()
		if problem != nil {
			return nil, refused
		}
		for _, ref := range refs {
			if check(ref[0]) == nil {
				return nil, refused
			}
			_, c, problem := rq.findContact(strings.TrimPrefix(ref[0], compositePrefix), ref[1])
			if problem != nil {
				return nil, refused
			}
			list = append(list, c)
		}
	} else {
		f := check(rq.params["folder"])
		if f == nil {
			return nil, refused
		}
		list = rq.contents(f)
	}
	if rq.params["export_dlists"] == "true" {
		return list, nil
	}
	var out []*state.Contact
	for _, c := range list {
		if !c.List {
			out = append(out, c)
		}
	}
	return out, nil
}

func exportCSV(rq *request) (reply, *failure) {
	list, refused := rq.exportable()
	if refused != nil {
		return reply{raw: refused}, nil
	}
	columns := appsuite.Columns()
	if rq.params["columns"] != "" {
		numbers, problem := rq.columns()
		if problem != nil {
			return reply{raw: htmlPage(http.StatusInternalServerError)}, nil
		}
		columns = nil
		for _, n := range numbers {
			if name, ok := fieldsByNumber[n]; ok {
				columns = append(columns, appsuite.Column(name))
			}
		}
	}
	var titles []string
	var names []string
	for _, c := range columns {
		if t := c.CSVTitle(); t != "" {
			titles, names = append(titles, t), append(names, string(c))
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(titles)
	for _, c := range list {
		row := make([]string, len(names))
		for i, n := range names {
			row[i] = c.Fields[n]
		}
		w.Write(row)
	}
	w.Flush()
	return reply{raw: &rawReply{http.StatusOK, "text/csv; charset=UTF-8", b.Bytes()}}, nil
}

var vcardEscape = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "", ",", "\\,", ";", "\\;")

func exportVCard(rq *request) (reply, *failure) {
	list, refused := rq.exportable()
	if refused != nil {
		return reply{raw: refused}, nil
	}
	var b bytes.Buffer
	for _, c := range list {
		v := func(name string) string { return vcardEscape.Replace(c.Fields[name]) }
		b.WriteString("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + v("uid") + "\r\nFN:" + v("display_name") +
			"\r\nN:" + v("last_name") + ";" + v("first_name") + ";;;\r\n")
		for _, m := range []string{"email1", "email2", "email3"} {
			if c.Fields[m] != "" {
				b.WriteString("EMAIL:" + v(m) + "\r\n")
			}
		}
		b.WriteString("END:VCARD\r\n")
	}
	return reply{raw: &rawReply{http.StatusOK, "text/vcard; charset=UTF-8", b.Bytes()}}, nil
}
