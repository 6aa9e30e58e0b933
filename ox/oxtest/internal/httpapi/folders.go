package httpapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

var folderActions = map[string]action{
	"folders root":       foldersRoot,
	"folders list":       foldersList,
	"folders get":        foldersGet,
	"folders path":       foldersPath,
	"folders allVisible": foldersAllVisible,
	"folders new":        foldersNew,
	"folders update":     foldersUpdate,
	"folders delete":     foldersDelete,
}

const compositePrefix = "con://0/"

// folderID reads an id as clients send it: plain, or "con://0/33".
func (rq *request) folderID(s string) (id int, composite bool, problem *failure) {
	plain := s
	if !rq.api.Options.PlainFolderIDs {
		plain, composite = strings.CutPrefix(s, compositePrefix)
		if !composite {
			plain = s
		}
	}
	id, err := strconv.Atoi(plain)
	if err != nil || id < 0 {
		return 0, false, oxErr("FLD-1025", catInput, "Invalid folder identifier: %s", s)
	}
	return id, composite, nil
}

// perms are a folder's permissions; those of the global address book follow from
// the users' module access and the context's mode.
func (w *caller) perms(api *API, f *state.Folder) []state.Permission {
	if f.ID != state.FolderGAB {
		return f.Perms
	}
	if w.context.globalGAB {
		return []state.Permission{{Entity: 0, Group: true, Bits: state.BitsGABOpen},
			{Entity: w.context.admin, Group: false, Bits: state.BitsGABOpen | state.BitsAdmin}}
	}
	var out []state.Permission
	for _, uid := range api.dir.users(w.cid) {
		u, _ := api.dir.user(w.cid, uid)
		bits := state.BitsGABOpen
		if u.gabDisabled {
			bits = state.BitsGABClosed
		}
		out = append(out, state.Permission{Entity: uid, Group: false, Bits: bits})
	}
	return out
}

// rights are the caller's rights on a folder.
func (rq *request) rights(f *state.Folder) rights {
	w := &rq.who
	switch f.ID {
	case state.FolderGAB:
		switch {
		case !w.context.globalGAB && w.user.gabDisabled:
			return unpack(state.BitsGABClosed)
		case w.context.globalGAB && w.uid == w.context.admin:
			return unpack(state.BitsGABOpen | state.BitsAdmin)
		}
		return unpack(state.BitsGABOpen)
	case state.FolderPublic:
		if !w.user.editPublicFolders {
			return unpack(state.BitsSee)
		}
	}
	return rightsFor(f.Perms, w.uid, w.groups)
}

// visible reports whether the caller sees a folder: by right, or because it
// leads to one that the caller sees.
func (rq *request) visible(f *state.Folder) bool {
	if rq.rights(f).folder >= levelSee {
		return true
	}
	if f.Kind == state.TypePrivate && f.CreatedBy != rq.who.uid {
		return false
	}
	return slices.ContainsFunc(rq.who.pim.Children(f.ID), rq.visible)
}

// kindFor is the folder's type as the caller sees it: another user's private
// folder is a shared one.
func (rq *request) kindFor(f *state.Folder) int {
	if f.Kind == state.TypePrivate && f.CreatedBy != rq.who.uid {
		return state.TypeShared
	}
	return f.Kind
}

// folder looks up a visible folder.
func (rq *request) folder(s string) (*state.Folder, bool, *failure) {
	id, composite, problem := rq.folderID(s)
	if problem != nil {
		return nil, false, problem
	}
	f := rq.who.pim.Folders[id]
	if f == nil {
		return nil, false, oxErr("FLD-0008", catError, "Folder %d does not exist in context %d.", id, rq.who.cid)
	}
	if !rq.visible(f) {
		return nil, false, oxErr("FLD-0003", catPermission, "Folder %d is not visible to you in context %d.", id, rq.who.cid)
	}
	return f, composite, nil
}

// folderValue is a field of a folder by column number.
func (rq *request) folderValue(f *state.Folder, column int, composite bool) any {
	id := func(n int) string {
		p := rq.who.pim.Folders[n]
		if composite && p != nil && p.Module == "contacts" {
			return compositePrefix + strconv.Itoa(n)
		}
		return strconv.Itoa(n)
	}
	switch column {
	case 1:
		return id(f.ID)
	case 2:
		return f.CreatedBy
	case 3:
		return f.ModifiedBy
	case 4:
		return f.Created + rq.offset()
	case 5:
		return f.Modified + rq.offset()
	case 6:
		return f.Modified
	case 20:
		if f.ID == state.FolderRoot {
			return nil
		}
		return id(f.Parent)
	case 300:
		return f.Title
	case 301:
		return f.Module
	case 302:
		return rq.kindFor(f)
	case 304:
		return slices.ContainsFunc(rq.who.pim.Children(f.ID), rq.visible)
	case 305:
		return rq.rights(f).pack()
	case 306:
		out := []map[string]any{}
		for _, p := range rq.who.perms(rq.api, f) {
			out = append(out, map[string]any{"entity": p.Entity, "group": p.Group, "bits": p.Bits})
		}
		return out
	case 308:
		return f.Standard
	case 314:
		return true
	case 316:
		if f.Standard {
			return 3
		}
		return 0
	}
	return nil
}

var folderFieldNames = map[int]string{1: "id", 2: "created_by", 3: "modified_by", 4: "creation_date",
	5: "last_modified",
	6: "last_modified_utc", 20: "folder_id", 300: "title", 301: "module", 302: "type", 304: "subfolders",
	305: "own_rights",
	306: "permissions", 308: "standard_folder", 314: "subscribed", 316: "standard_folder_type"}

func (rq *request) columns() ([]int, *failure) {
	s, problem := rq.need("columns")
	if problem != nil {
		return nil, problem
	}
	var out []int
	for _, part := range strings.Split(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, badValue("columns")
		}
		out = append(out, n)
	}
	return out, nil
}

func (rq *request) folderRow(f *state.Folder, columns []int, composite bool) []any {
	row := make([]any, len(columns))
	for i, c := range columns {
		row[i] = rq.folderValue(f, c, composite)
	}
	return row
}

// wanted reports whether allowed_modules lets a folder through.
func (rq *request) wanted(f *state.Folder) bool {
	allowed := rq.params["allowed_modules"]
	return allowed == "" || f.Module == "system" || slices.Contains(strings.Split(allowed, ","), f.Module)
}

func (rq *request) checkTree() *failure {
	if t := rq.params["tree"]; t != "" && t != "0" && t != "1" {
		return oxErr("FLD-1031", catError, "Folder tree %q not found.", t)
	}
	return nil
}

func foldersRoot(rq *request) (reply, *failure) {
	rq.params["parent"] = "0"
	return foldersList(rq)
}

func foldersList(rq *request) (reply, *failure) {
	if problem := rq.checkTree(); problem != nil {
		return reply{}, problem
	}
	parent, problem := rq.need("parent")
	if problem != nil {
		return reply{}, problem
	}
	columns, problem := rq.columns()
	if problem != nil {
		return reply{}, problem
	}
	f, _, problem := rq.folder(parent)
	if problem != nil {
		return reply{}, problem
	}
	rows := [][]any{}
	latest := int64(0)
	children := rq.who.pim.Children(f.ID)
	if f.ID == state.FolderPrivate {
		children = slices.DeleteFunc(children, func(c *state.Folder) bool { return c.CreatedBy != rq.who.uid })
	}
	for _, c := range children {
		if rq.visible(c) && rq.wanted(c) {
			rows = append(rows, rq.folderRow(c, columns, !rq.api.Options.PlainFolderIDs))
			latest = max(latest, c.Modified)
		}
	}
	return reply{data: rows, timestamp: latest}, nil
}

func foldersGet(rq *request) (reply, *failure) {
	if problem := rq.checkTree(); problem != nil {
		return reply{}, problem
	}
	id, problem := rq.need("id")
	if problem != nil {
		return reply{}, problem
	}
	f, composite, problem := rq.folder(id)
	if problem != nil {
		return reply{}, problem
	}
	return reply{data: rq.folderObject(f, composite), timestamp: f.Modified}, nil
}

func (rq *request) folderObject(f *state.Folder, composite bool) map[string]any {
	m := map[string]any{}
	for n, name := range folderFieldNames {
		m[name] = rq.folderValue(f, n, composite)
	}
	return m
}

func foldersPath(rq *request) (reply, *failure) {
	id, problem := rq.need("id")
	if problem != nil {
		return reply{}, problem
	}
	columns, problem := rq.columns()
	if problem != nil {
		return reply{}, problem
	}
	f, composite, problem := rq.folder(id)
	if problem != nil {
		return reply{}, problem
	}
	rows := [][]any{}
	for f != nil && f.ID != state.FolderRoot {
		rows = append(rows, rq.folderRow(f, columns, composite))
		f = rq.who.pim.Folders[f.Parent]
	}
	return reply{data: rows}, nil
}

func foldersAllVisible(rq *request) (reply, *failure) {
	if problem := rq.checkTree(); problem != nil {
		return reply{}, problem
	}
	content, problem := rq.need("content_type")
	if problem != nil {
		return reply{}, problem
	}
	columns, problem := rq.columns()
	if problem != nil {
		return reply{}, problem
	}
	parts := map[string][][]any{"private": {}, "public": {}, "shared": {}}
	names := map[int]string{state.TypePrivate: "private", state.TypePublic: "public", state.TypeShared: "shared"}
	latest := int64(0)
	if f := rq.moduleFolder(content); f != nil {
		parts[names[f.Kind]] = append(parts[names[f.Kind]], rq.folderRow(f, columns, false))
		latest = f.Modified
	}
	for _, id := range state.SortedKeys(rq.who.pim.Folders) {
		f := rq.who.pim.Folders[id]
		part := names[rq.kindFor(f)]
		if f.Module != content || part == "" || !rq.visible(f) {
			continue
		}
		parts[part] = append(parts[part], rq.folderRow(f, columns, false))
		latest = max(latest, f.Modified)
	}
	return reply{data: parts, timestamp: latest}, nil
}
