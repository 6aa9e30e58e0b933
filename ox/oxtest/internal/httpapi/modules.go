package httpapi

import (
	"crypto/md5"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// moduleActions read what a user has in calendar, tasks and files: enough to count and
// compare it. Each user has one folder in each.
var moduleActions = map[string]action{
	"tasks all":     tasksAll,
	"chronos all":   chronosAll,
	"infostore all": infostoreAll,
}

// ownModule is a module beside contacts: the type of its folders, and what is in the
// caller's.
type ownModule struct {
	number  int
	granted func(userView) bool
	items   func(state.PersonalData) []string
	parent  int
	kind    int
	title   string
}

var ownModules = map[string]ownModule{
	"tasks": {1, func(u userView) bool { return u.tasks },
		func(p state.PersonalData) []string { return p.Tasks }, state.FolderPrivate, state.TypePrivate, "Tasks"},
	"event": {2, func(u userView) bool { return u.calendar },
		func(p state.PersonalData) []string { return p.Appointments }, state.FolderPrivate, state.TypePrivate, "Calendar"},
	"infostore": {3, func(u userView) bool { return u.infostore },
		func(p state.PersonalData) []string { return p.Files }, 10, state.TypePublic, "My files"},
}

// moduleFolder is the caller's folder in a module; nil without the right to use it.
func (rq *request) moduleFolder(content string) *state.Folder {
	m, ok := ownModules[content]
	if !ok || !m.granted(rq.who.user) {
		return nil
	}
	return &state.Folder{ID: 1_000_000 + 10*rq.who.uid + m.number, Parent: m.parent, Title: m.title, Module: content,
		Kind: m.kind, Perms: []state.Permission{{Entity: rq.who.uid, Bits: state.BitsOwner}}, CreatedBy: rq.who.uid,
		Standard: true, Modified: 1}
}

// moduleItems lists what is in the caller's folder that a request names; needed says
// whether it must name one.
func (rq *request) moduleItems(content string, needed bool) ([]string, *failure) {
	f := rq.moduleFolder(content)
	if f == nil {
		return nil, oxErr("FLD-0002", catPermission, "No access to the module %s.", content)
	}
	named := rq.params["folder"]
	if named == "" && needed {
		return nil, missingParameter("folder")
	}
	if named != "" && named != strconv.Itoa(f.ID) && named != "cal://0/"+strconv.Itoa(f.ID) {
		return nil, oxErr("FLD-0008", catError, "Folder %s does not exist in context %d.", named, rq.who.cid)
	}
	return ownModules[content].items(rq.who.user.owns), nil
}

func (rq *request) moduleRows(content string, cell func(i int, name string, column int) any) (reply, *failure) {
	columns, problem := rq.columns()
	if problem != nil {
		return reply{}, problem
	}
	items, problem := rq.moduleItems(content, true)
	if problem != nil {
		return reply{}, problem
	}
	rows := [][]any{}
	for i, name := range items {
		row := make([]any, len(columns))
		for k, c := range columns {
			row[k] = cell(i, name, c)
		}
		rows = append(rows, row)
	}
	return reply{data: rows, timestamp: 1}, nil
}

func tasksAll(rq *request) (reply, *failure) {
	return rq.moduleRows("tasks", func(i int, name string, column int) any {
		switch column {
		case 1:
			return strconv.Itoa(rq.who.uid*1000 + i)
		case 200:
			return name
		}
		return nil
	})
}

func infostoreAll(rq *request) (reply, *failure) {
	return rq.moduleRows("infostore", func(i int, name string, column int) any {
		switch column {
		case 1:
			return strconv.Itoa(rq.who.uid*1000 + i)
		case 702:
			return name
		case 704:
			return len(name)
		case 708:
			sum := md5.Sum([]byte(name))
			return hex.EncodeToString(sum[:])
		}
		return nil
	})
}

func chronosAll(rq *request) (reply, *failure) {
	for _, name := range []string{"rangeStart", "rangeEnd"} {
		if _, problem := rq.need(name); problem != nil {
			return reply{}, problem
		}
	}
	items, problem := rq.moduleItems("event", false)
	if problem != nil {
		return reply{}, problem
	}
	events := []map[string]any{}
	for i, name := range slices.Clone(items) {
		events = append(events, map[string]any{"id": strconv.Itoa(rq.who.uid*1000 + i), "summary": name,
			"startDate": map[string]any{"value": "20270301T080000"}, "endDate": map[string]any{"value": "20270301T090000"}})
	}
	return reply{data: events, timestamp: 1}, nil
}
