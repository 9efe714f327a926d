module caisson.test/libtrust

go 1.20

require github.com/docker/libtrust v0.0.0-20160708172513-aabc10ec26b7
