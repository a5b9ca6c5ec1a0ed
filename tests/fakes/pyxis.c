/* A SPANK plugin that takes Pyxis's option and says what Pyxis 0.20 says, through the same calls of
 * Slurm: what is written before these texts in slurmd's log and in a job's output is then Slurm's
 * own. Built without any header, so that a compiler is all it needs. */

typedef struct spank_handle *spank_t;

struct spank_option {
    char *name, *arginfo, *usage;
    int has_arg, val;
    int (*callback)(int, const char *, int);
};

extern void slurm_spank_log(const char *, ...);
extern void slurm_info(const char *, ...);
extern void slurm_error(const char *, ...);
extern int spank_option_register(spank_t, struct spank_option *);

const char plugin_name[] = "pyxis";
const char plugin_type[] = "spank";
const unsigned int plugin_version = SLURM;
const unsigned int spank_plugin_version = 1;

static char image[1024];

static int take(int value, const char *text, int remote)
{
    unsigned int at = 0;
    (void)value, (void)remote;
    for (; text[at] && at < sizeof image - 1; at++)
        image[at] = text[at];
    image[at] = 0;
    return 0;
}

static struct spank_option option = {
    "container-image", "IMAGE", "the image to run in", 1, 0, take,
};

/* As Pyxis does, so that sbatch and salloc take it too: a table of options is srun's alone. */
int slurm_spank_init(spank_t spank, int count, char **arguments)
{
    (void)count, (void)arguments;
    return spank_option_register(spank, &option);
}

int slurm_spank_slurmd_init(spank_t spank, int count, char **arguments)
{
    (void)spank, (void)count, (void)arguments;
    slurm_info("pyxis: version v0.20.0");
    return 0;
}

int slurm_spank_user_init(spank_t spank, int count, char **arguments)
{
    unsigned int at = 0;
    (void)spank, (void)count, (void)arguments;
    if (!image[0])
        return 0;
    while (image[at])
        at++;
    if (at > 7 && image[at - 1] == 't' && image[at - 2] == 'n') { /* ..:absent */
        slurm_error("pyxis: child 42 failed with error code: 1");
        slurm_error("pyxis: failed to import docker image: %s", image);
        return -1;
    }
    slurm_spank_log("pyxis: imported docker image: %s", image);
    slurm_info("pyxis: creating container filesystem: pyxis_1_1.0");
    return 0;
}
