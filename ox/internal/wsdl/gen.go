package wsdl

//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -pkg oxcontext -out ../oxcontext OXContextService.wsdl
//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -pkg oxgroup -out ../oxgroup OXGroupService.wsdl
//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -pkg oxresource -out ../oxresource OXResourceService.wsdl
//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -pkg oxsecaccount -out ../oxsecaccount OXSecondaryAccountService.wsdl
//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -pkg oxtask -out ../oxtask OXTaskMgmtService.wsdl
//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -pkg oxusercopy -out ../oxusercopy OXUserCopyService.wsdl
//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -pkg oxuser -out ../oxuser OXUserService.wsdl
//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -pkg oxutil -out ../oxutil OXUtilService.wsdl
