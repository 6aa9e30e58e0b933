package state

import (
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxdata"
)

func (s *World) NewJob(context int, name string) *int32 {
	s.nextJob++
	s.Jobs[s.nextJob] = &Job{ID: s.nextJob, Context: context, Name: name}
	return Id32(s.nextJob)
}

func (s *World) FindFilestore(ref *oxdata.Filestore) (int, *soap.Fault) {
	if ref == nil || ref.Id == nil || s.Filestores[Number(ref.Id)] == nil {
		id := 0
		if ref != nil {
			id = Number(ref.Id)
		}
		return 0, s.Fault(kindNoFilestore, "No such filestore %d", id)
	}
	return Number(ref.Id), nil
}
