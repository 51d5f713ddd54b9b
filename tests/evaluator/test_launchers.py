"""How many threads each process that a launcher of MPI starts may have."""

import pytest

from evaluator.codes.launchers import threads_of_each

THREADS = {
    "prog": 8,
    "prog -n 4": 8,
    "mpirun -np 2 prog": 4,
    "/opt/mpi/bin/mpirun -n 2 prog": 4,
    "mpirun -n4 prog": 2,
    "mpirun -np=4 prog": 2,
    "mpirun --np=4 prog": 2,
    "mpirun -c 4 prog": 2,
    "mpirun -n {cores} prog": 1,
    "mpirun -n 100 prog": 1,
    # options behind the program belong to the program
    "mpirun prog -n 100": 1,
    "mpirun -np 2 prog -n 100": 4,
    "mpirun -n 2 prog mpirun -n 4": 4,
    "prog --mode srun -n 3": 8,
    "prog mpirun -n 4": 8,
    # without a number, there is one process for each slot
    "mpirun prog": 1,
    "mpirun -n many prog": 1,
    "mpirun -n": 1,
    "mpirun": 1,
    # the value of another option is not the program
    "mpirun --map-by core --mca btl self,vader -x OMP_NUM_THREADS -np 2 prog": 4,
    "mpirun --oversubscribe --bind-to none -q -np 2 prog": 4,
    "mpiexec.hydra -genv I_MPI_PIN 0 -ppn 4 -n 2 prog": 4,
    "mpiexec -host a,b -n 2 prog": 4,
    # several programs
    "mpiexec -n 1 a : -n 3 b": 2,
    "mpiexec -n 1 a x -n 7 : -n 1 b": 4,
    "srun -n1 a : -n3 b": 2,
    # Slurm, where -c has another meaning
    "srun -n4 prog": 2,
    "srun --ntasks=4 prog": 2,
    "srun --ntasks 4 prog": 2,
    "srun -N 1 -p short -n 2 -c 4 prog": 4,
    "srun -c 4 prog": 8,
    "srun --mpi pmix --cpu-bind=cores --mem_bind local -n 2 -- prog -n 8": 4,
    # words that may stand before a launcher
    "nice -n 10 mpirun -np 2 prog": 4,
    "nice -10 mpirun -np 2 prog": 4,
    "nice --adjustment=10 /usr/bin/mpirun -np 2 prog": 4,
    "nice -n 10 prog": 8,
    "env -u HOME A=1 B=x=y mpirun -np 2 prog": 4,
    "taskset -c 0-7 mpirun -np 2 prog": 4,
    "taskset 0xff mpirun -np 2 prog": 4,
    "stdbuf -oL -e 0 mpirun -np 2 prog": 4,
    "timeout -k 5 --signal=KILL 100 mpirun -np 2 prog": 4,
    "timeout 100 nice -n 5 mpirun -np 2 prog": 4,
    "numactl -N 0 --membind=0 mpirun -np 2 prog": 4,
    "apptainer exec --bind /data:/data image.sif mpirun -np 2 prog": 4,
    "conda run -n physics mpirun -np 2 prog": 4,
    "srun -n 2 mpirun -n 2 prog": 2,
}


@pytest.mark.parametrize("command", THREADS)
def test_the_processes_of_a_command_share_eight_cores(monkeypatch, command):
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    assert threads_of_each(command.split(), 8) == THREADS[command]


@pytest.mark.parametrize(("tasks", "threads"), [("4", 2), ("", 8)])
def test_srun_starts_as_many_as_the_job_says(monkeypatch, tasks, threads):
    monkeypatch.setenv("SLURM_NTASKS", tasks)
    assert threads_of_each(["srun", "prog"], 8) == threads
    assert threads_of_each(["srun", "-n", "2", "prog"], 8) == 4
