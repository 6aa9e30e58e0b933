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
	for i, d := range l {
		v := *d
		n := 0
		for _, c := range s.Contexts {
			if c.DatabaseID == Number(d.Id) {
				n++
			}
		}
		v.CurrentUnits = Id32(n)
		l[i] = &v
	}
	return l
}

func (s *World) ShowFilestores(pattern string) []*oxutil.Filestore {
	l := Registered(s.Filestores, pattern, func(v *oxutil.Filestore) string { return Text(v.Url) })
	for i, d := range l {
		v := *d
		n := 0
		for _, c := range s.Contexts {
			if c.FilestoreID == Number(d.Id) {
				n++
			}
		}
		v.CurrentContexts = Id32(n)
		l[i] = &v
	}
	return l
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
