package oxtest

import (
	"slices"
	"strconv"
	"strings"
)

var folderActions = map[string]httpAction{
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
func (rq *httpRequest) folderID(s string) (id int, composite bool, problem *httpError) {
	plain := s
	if !rq.api.opts.PlainFolderIDs {
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
func (w *httpCaller) perms(api *httpAPI, f *simFolder) []simPerm {
	if f.id != folderGAB {
		return f.perms
	}
	if w.context.globalGAB {
		return []simPerm{{0, true, bitsGABOpen}, {w.context.admin, false, bitsGABOpen | bitsAdmin}}
	}
	var out []simPerm
	for _, uid := range api.dir.httpUsers(w.cid) {
		u, _ := api.dir.httpUser(w.cid, uid)
		bits := bitsGABOpen
		if u.gabDisabled {
			bits = bitsGABClosed
		}
		out = append(out, simPerm{uid, false, bits})
	}
	return out
}

// rights are the caller's rights on a folder.
func (rq *httpRequest) rights(f *simFolder) simRights {
	w := &rq.who
	switch f.id {
	case folderGAB:
		switch {
		case !w.context.globalGAB && w.user.gabDisabled:
			return unpack(bitsGABClosed)
		case w.context.globalGAB && w.uid == w.context.admin:
			return unpack(bitsGABOpen | bitsAdmin)
		}
		return unpack(bitsGABOpen)
	case folderPublic:
		if !w.user.editPublicFolders {
			return unpack(bitsSee)
		}
	}
	return rightsFor(f.perms, w.uid, w.groups)
}

// visible reports whether the caller sees a folder: by right, or because it
// leads to one that the caller sees.
func (rq *httpRequest) visible(f *simFolder) bool {
	if rq.rights(f).folder >= levelSee {
		return true
	}
	if f.kind == typePrivate && f.createdBy != rq.who.uid {
		return false
	}
	return slices.ContainsFunc(rq.who.pim.children(f.id), rq.visible)
}

// kindFor is the folder's type as the caller sees it: another user's private
// folder is a shared one.
func (rq *httpRequest) kindFor(f *simFolder) int {
	if f.kind == typePrivate && f.createdBy != rq.who.uid {
		return typeShared
	}
	return f.kind
}

// folder looks up a visible folder.
func (rq *httpRequest) folder(s string) (*simFolder, bool, *httpError) {
	id, composite, problem := rq.folderID(s)
	if problem != nil {
		return nil, false, problem
	}
	f := rq.who.pim.folders[id]
	if f == nil {
		return nil, false, oxErr("FLD-0008", catError, "Folder %d does not exist in context %d.", id, rq.who.cid)
	}
	if !rq.visible(f) {
		return nil, false, oxErr("FLD-0003", catPermission, "Folder %d is not visible to you in context %d.", id, rq.who.cid)
	}
	return f, composite, nil
}

// folderValue is a field of a folder by column number.
func (rq *httpRequest) folderValue(f *simFolder, column int, composite bool) any {
	id := func(n int) string {
		p := rq.who.pim.folders[n]
		if composite && p != nil && p.module == "contacts" {
			return compositePrefix + strconv.Itoa(n)
		}
		return strconv.Itoa(n)
	}
	switch column {
	case 1:
		return id(f.id)
	case 2:
		return f.createdBy
	case 3:
		return f.modifiedBy
	case 4:
		return f.created + rq.offset()
	case 5:
		return f.modified + rq.offset()
	case 6:
		return f.modified
	case 20:
		if f.id == folderRoot {
			return nil
		}
		return id(f.parent)
	case 300:
		return f.title
	case 301:
		return f.module
	case 302:
		return rq.kindFor(f)
	case 304:
		return slices.ContainsFunc(rq.who.pim.children(f.id), rq.visible)
	case 305:
		return rq.rights(f).pack()
	case 306:
		out := []map[string]any{}
		for _, p := range rq.who.perms(rq.api, f) {
			out = append(out, map[string]any{"entity": p.entity, "group": p.group, "bits": p.bits})
		}
		return out
	case 308:
		return f.standard
	case 314:
		return true
	case 316:
		if f.standard {
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

func (rq *httpRequest) columns() ([]int, *httpError) {
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

func (rq *httpRequest) folderRow(f *simFolder, columns []int, composite bool) []any {
	row := make([]any, len(columns))
	for i, c := range columns {
		row[i] = rq.folderValue(f, c, composite)
	}
	return row
}

// wanted reports whether allowed_modules lets a folder through.
func (rq *httpRequest) wanted(f *simFolder) bool {
	allowed := rq.params["allowed_modules"]
	return allowed == "" || f.module == "system" || slices.Contains(strings.Split(allowed, ","), f.module)
}

func (rq *httpRequest) checkTree() *httpError {
	if t := rq.params["tree"]; t != "" && t != "0" && t != "1" {
		return oxErr("FLD-1031", catError, "Folder tree %q not found.", t)
	}
	return nil
}

func foldersRoot(rq *httpRequest) (httpReply, *httpError) {
	rq.params["parent"] = "0"
	return foldersList(rq)
}

func foldersList(rq *httpRequest) (httpReply, *httpError) {
	if problem := rq.checkTree(); problem != nil {
		return httpReply{}, problem
	}
	parent, problem := rq.need("parent")
	if problem != nil {
		return httpReply{}, problem
	}
	columns, problem := rq.columns()
	if problem != nil {
		return httpReply{}, problem
	}
	f, _, problem := rq.folder(parent)
	if problem != nil {
		return httpReply{}, problem
	}
	rows := [][]any{}
	latest := int64(0)
	children := rq.who.pim.children(f.id)
	if f.id == folderPrivate {
		children = slices.DeleteFunc(children, func(c *simFolder) bool { return c.createdBy != rq.who.uid })
	}
	for _, c := range children {
		if rq.visible(c) && rq.wanted(c) {
			rows = append(rows, rq.folderRow(c, columns, !rq.api.opts.PlainFolderIDs))
			latest = max(latest, c.modified)
		}
	}
	return httpReply{data: rows, timestamp: latest}, nil
}

func foldersGet(rq *httpRequest) (httpReply, *httpError) {
	if problem := rq.checkTree(); problem != nil {
		return httpReply{}, problem
	}
	id, problem := rq.need("id")
	if problem != nil {
		return httpReply{}, problem
	}
	f, composite, problem := rq.folder(id)
	if problem != nil {
		return httpReply{}, problem
	}
	return httpReply{data: rq.folderObject(f, composite), timestamp: f.modified}, nil
}

func (rq *httpRequest) folderObject(f *simFolder, composite bool) map[string]any {
	m := map[string]any{}
	for n, name := range folderFieldNames {
		m[name] = rq.folderValue(f, n, composite)
	}
	return m
}

func foldersPath(rq *httpRequest) (httpReply, *httpError) {
	id, problem := rq.need("id")
	if problem != nil {
		return httpReply{}, problem
	}
	columns, problem := rq.columns()
	if problem != nil {
		return httpReply{}, problem
	}
	f, composite, problem := rq.folder(id)
	if problem != nil {
		return httpReply{}, problem
	}
	rows := [][]any{}
	for f != nil && f.id != folderRoot {
		rows = append(rows, rq.folderRow(f, columns, composite))
		f = rq.who.pim.folders[f.parent]
	}
	return httpReply{data: rows}, nil
}

func foldersAllVisible(rq *httpRequest) (httpReply, *httpError) {
	if problem := rq.checkTree(); problem != nil {
		return httpReply{}, problem
	}
	content, problem := rq.need("content_type")
	if problem != nil {
		return httpReply{}, problem
	}
	columns, problem := rq.columns()
	if problem != nil {
		return httpReply{}, problem
	}
	parts := map[string][][]any{"private": {}, "public": {}, "shared": {}}
	names := map[int]string{typePrivate: "private", typePublic: "public", typeShared: "shared"}
	latest := int64(0)
	for _, id := range sortedKeys(rq.who.pim.folders) {
		f := rq.who.pim.folders[id]
		part := names[rq.kindFor(f)]
		if f.module != content || part == "" || !rq.visible(f) {
			continue
		}
		parts[part] = append(parts[part], rq.folderRow(f, columns, false))
		latest = max(latest, f.modified)
	}
	return httpReply{data: parts, timestamp: latest}, nil
}
