package state

import (
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
)

func (s *World) NewID() *int32 {
	s.nextID++
	return Id32(s.nextID - 1)
}

func (s *World) ShowDatabases(pattern string) []*oxutil.Database {
	l := Registered(s.Databases, pattern, func(v *oxutil.Database) string { return Text(v.Name) })
	return counted(s, l, func(v *oxutil.Database, c *Context) bool { return c.DatabaseID == Number(v.Id) },
		func(v *oxutil.Database, n *int32) { v.CurrentUnits = n })
}

func (s *World) ShowFilestores(pattern string) []*oxutil.Filestore {
	l := Registered(s.Filestores, pattern, func(v *oxutil.Filestore) string { return Text(v.Url) })
	return counted(s, l, func(v *oxutil.Filestore, c *Context) bool { return c.FilestoreID == Number(v.Id) },
		func(v *oxutil.Filestore, n *int32) { v.CurrentContexts = n })
}

// counted returns copies of what is registered that say how many contexts use each.
func counted[T any](s *World, list []*T, uses func(*T, *Context) bool, set func(*T, *int32)) []*T {
	for i, d := range list {
		v, n := *d, 0
		for _, c := range s.Contexts {
			if uses(&v, c) {
				n++
			}
		}
		set(&v, Id32(n))
		list[i] = &v
	}
	return list
}

// Registered lists what matches a pattern, by id.
func Registered[T any](m map[int]*T, pattern string, name func(*T) string) []*T {
	var out []*T
	for _, id := range slices.Sorted(maps.Keys(m)) {
		if Matches(pattern, name(m[id]), true) {
			out = append(out, m[id])
		}
	}
	return out
}

func ChangeRegistered[T any](s *World, m map[int]*T, in *T, id func(*T) *int32) *soap.Fault {
	if in == nil || m[Number(id(in))] == nil {
		return s.Fault(KindData, "The given id does not exist")
	}
	v := *m[Number(id(in))]
	Overlay(&v, in)
	m[Number(id(in))] = &v
	return nil
}

func Unregister[T any](s *World, m map[int]*T, in *T, id func(*T) *int32) *soap.Fault {
	if in == nil || m[Number(id(in))] == nil {
		return s.Fault(KindData, "The given id does not exist")
	}
	delete(m, Number(id(in)))
	return nil
}
