SELECT bench_accept(:n);
