package soapapi

import (
	"strconv"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// Filters of the context lists.

func everyContext(*state.Context) bool { return true }

func byPattern(p string) func(*state.Context) bool {
	return func(c *state.Context) bool {
		if state.Matches(p, c.Name, true) || p == state.Itoa(c.ID) {
			return true
		}
		for _, m := range c.AllMappings(true) {
			if state.Matches(p, m, true) {
				return true
			}
		}
		return false
	}
}

func byDatabase(db *oxcontext.Database) func(*state.Context) bool {
	return func(c *state.Context) bool { return db != nil && c.DatabaseID == state.Number(db.Id) }
}

func byFilestore(fs *oxcontext.Filestore) func(*state.Context) bool {
	return func(c *state.Context) bool { return fs != nil && c.FilestoreID == state.Number(fs.Id) }
}

func (c *call) databaseMustExist(db *oxcontext.Database) func() *soap.Fault {
	return func() *soap.Fault {
		if db == nil || c.st.Databases[state.Number(db.Id)] == nil {
			return c.st.Fault(state.KindNoDatabase, "No such database")
		}
		return nil
	}
}

func (c *call) filestoreMustExist(fs *oxcontext.Filestore) func() *soap.Fault {
	return func() *soap.Fault {
		_, f := c.st.FindFilestore(fs)
		return f
	}
}

// paging makes a paging parameter that was left out an empty text, which is no number.
func paging(p *string) *string { return new(state.Text(p)) }

// listContexts answers the list operations. offset and length are nil for those
// that have no pages.
func (c *call) listContexts(auth *oxcontext.Credentials, keep func(*state.Context) bool, check func() *soap.Fault,
	offset, length *string) (out []*oxcontext.Context, fault *soap.Fault) {
	fault = c.locked(func() *soap.Fault {
		s := c.st
		if f := s.AuthMaster(auth); f != nil {
			return f
		}
		if check != nil {
			if f := check(); f != nil {
				return f
			}
		}
		from, n := 0, -1
		if offset != nil {
			var err1, err2 error
			from, err1 = strconv.Atoi(*offset)
			n, err2 = strconv.Atoi(*length)
			if err1 != nil || err2 != nil {
				f := s.Fault(state.KindStorage, "Invalid integer parameter")
				f.ExceptionIDs = nil
				return f
			}
		}
		for _, id := range s.ContextIDs() {
			if cs := s.Contexts[id]; keep(cs) {
				out = append(out, cs.Show(true))
			}
		}
		switch {
		case n < 0 || from < 0:
		default:
			from = min(from, len(out))
			out = out[from:min(from+n, len(out))]
		}
		return nil
	})
	return out, fault
}

// bare drops what the lists by database and by file store do not fill.
func bare(l []*oxcontext.Context) []*oxcontext.Context {
	for _, c := range l {
		c.UserAttributes = nil
	}
	return l
}
